// SPDX-License-Identifier: BSD-3-Clause
// One end of a WebRTC call that may go through the relay only: video and an echoed data channel in both directions.
// Two pages, `?me=left&other=right` and the reverse, talk through the mailboxes of the server that they come from; each
// tells the mailbox "test" what it saw, and hangs up when it is told to.

const MESSAGES = 200;
const SECONDS = 5;

const parameters = new URLSearchParams(location.search);
const me = parameters.get("me");
const other = parameters.get("other");

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

let posted = Promise.resolve();

// One after the other, so that no candidate overtakes the description it belongs to.
function tell(whom, message) {
  posted = posted.then(() => fetch(`/mail/${whom}`, {method: "POST", body: JSON.stringify({from: me, ...message})}));
  return posted;
}

async function* mail() {
  for (;;) {
    const answer = await fetch(`/mail/${me}`);
    if (answer.status === 200) yield await answer.json();
  }
}

// From 4 bytes to several SCTP fragments, every one different.
function payload(number) {
  const bytes = Uint8Array.from({length: 4 + (number * 61) % 4000}, (_, index) => (number + 7 * index) & 0xff);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

function equal(one, two) {
  return one.length === two.length && one.every((byte, index) => byte === two[index]);
}

// Sends all messages at once; gives how many came back, and how many of them in their order and unchanged.
function askEcho(channel) {
  return new Promise((resolve) => {
    let returned = 0;
    let intact = 0;
    channel.onmessage = ({data}) => {
      intact += equal(new Uint8Array(data), payload(returned)) ? 1 : 0;
      returned += 1;
      if (returned === MESSAGES) resolve({sent: MESSAGES, returned, intact});
    };
    channel.onopen = () => {
      for (let number = 0; number < MESSAGES; number += 1) channel.send(payload(number));
    };
  });
}

// Both pages open both channels: each asks on its own one and echoes on the other's.
function makeChannels(connection) {
  const open = (page) => connection.createDataChannel(page, {negotiated: true, id: page === "left" ? 0 : 1});
  const asking = open(me);
  const echoing = open(other);
  asking.binaryType = echoing.binaryType = "arraybuffer";
  echoing.onmessage = ({data}) => echoing.send(data);
  return askEcho(asking);
}

async function framesDecoded(connection) {
  const report = await connection.getStats();
  return [...report.values()].find(({type, kind}) => type === "inbound-rtp" && kind === "video")?.framesDecoded ?? 0;
}

// Counts from the first picture on: how long the call took to come about is not the question.
async function watchVideo(connection) {
  while (await framesDecoded(connection) === 0) await sleep(50);
  const before = await framesDecoded(connection);
  await sleep(1000 * SECONDS);
  return {seconds: SECONDS, frames: await framesDecoded(connection) - before};
}

async function selectedPair(connection) {
  const report = await connection.getStats();
  const transport = [...report.values()].find(({type}) => type === "transport");
  const pair = report.get(transport.selectedCandidatePairId);
  const describe = (id) => {
    const {candidateType, relayProtocol, address, port} = report.get(id);
    return {candidateType, relayProtocol, endpoint: `${address}:${port}`};
  };
  return {local: describe(pair.localCandidateId), remote: describe(pair.remoteCandidateId)};
}

async function makeConnection() {
  const iceServers = await (await fetch("/ice-servers")).json();
  const connection = new RTCPeerConnection({iceServers, iceTransportPolicy: "relay", bundlePolicy: "max-bundle"});
  connection.onicecandidate = ({candidate}) => candidate && tell(other, {candidate});
  connection.onicecandidateerror = ({url, errorCode, errorText}) => console.log(`${url}: ${errorCode} ${errorText}`);
  connection.oniceconnectionstatechange = () => console.log(`${me}: ICE ${connection.iceConnectionState}`);
  connection.ontrack = ({streams}) => { document.getElementById("remote").srcObject = streams[0]; };
  const media = await navigator.mediaDevices.getUserMedia({video: {width: 320, height: 240, frameRate: 15}});
  for (const track of media.getTracks()) connection.addTrack(track, media);
  return connection;
}

async function describeMyself(connection) {
  await connection.setLocalDescription();
  tell(other, {description: connection.localDescription});
}

async function converse(connection) {
  for await (const message of mail()) {
    if (message.hangup) return;
    if (message.candidate) await connection.addIceCandidate(message.candidate);
    if (!message.description) continue;
    await connection.setRemoteDescription(message.description);
    if (message.description.type === "offer") await describeMyself(connection);
  }
}

async function main() {
  const connection = await makeConnection();
  const echoed = makeChannels(connection);
  if (me === "left") await describeMyself(connection);
  const conversation = converse(connection);
  const [echo, video] = await Promise.race([Promise.all([echoed, watchVideo(connection)]), conversation]);
  await tell("test", {echo, video, pair: await selectedPair(connection)});
  await conversation;
  connection.close();
}

main().catch((error) => tell("test", {error: String(error.stack)}));
