# SPDX-License-Identifier: BSD-3-Clause
"""Passwords, secrets and keys are nowhere to be read: not in logs, arguments or answers, and not in memory that has no use for them."""

import pathlib
import re
import subprocess

from netns import Lab
from relay import ADDRESSES, PEERS, PORTS, Relay
from turn_client import TurnClient, TurnError

PASSWORD = "correct-horse-battery-staple"
OTHER_PASSWORD = "troubadour-and-four-words"
SECRET = "north-gate-shared-secret-of-mine"
KEY_PASSWORD = "opens-the-private-key-file"
EVERY = (PASSWORD, OTHER_PASSWORD, SECRET, KEY_PASSWORD)


def in_memory(pid, words):
    """Which of the words a process holds in its private memory. Shared packet memory carries what is on the wire."""
    found = set()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines():
            start, end, rights = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            if not rights.startswith("rw") or "[v" in line:
                continue
            try:
                memory.seek(int(start, 16))
                content = memory.read(int(end, 16) - int(start, 16))
            except OSError:
                continue
            found |= {word for word in words if word.encode() in content}
    return found


def make_key(folder):
    """A certificate whose key file is encrypted."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2", "-subj", "/CN=relay",
                    "-passout", f"pass:{KEY_PASSWORD}", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def talk(lab, password):
    """An allocation; with a wrong password it is refused, and the refusal is logged."""
    client = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 3478), user="alice", password=password)
    try:
        client.allocate()
        client.refresh(0)
    except TurnError as refused:
        assert refused.code == 401 and password != PASSWORD
    finally:
        client.close()


def test_secrets_are_shown_nowhere(lab, tmp_path):
    certificate, key = make_key(tmp_path)
    file = tmp_path / "turnpike.conf"
    file.write_text(f"user=alice:{PASSWORD}\nstatic-auth-secret={SECRET}\npkey-pwd={KEY_PASSWORD}\nrealm=example.org\n", encoding="utf-8")
    relay = Relay(lab, "--config", file, "--cert", certificate, "--pkey", key, "--verbose", "--log-level", "debug",
                  base=PORTS["socket"] + ADDRESSES + PEERS, kind="socket")
    try:
        talk(lab, PASSWORD)
        talk(lab, "wrong-password-that-is-also-nobodys-business")
        file.write_text(file.read_text(encoding="utf-8") + f"user=bob:{OTHER_PASSWORD}\n", encoding="utf-8")
        shown = [relay.lab.run("relay", relay.binaries / "turnpikectl", *form, verb)
                 for verb in ("reload", "status", "sessions", "drops", "io") for form in ((), ("--json",))]
        shown.append(relay.lab.run("relay", relay.binaries / "turnpike-control", "--config", file, "--cert", certificate, "--pkey", key,
                                   "--print-config"))
        shown.append(relay.log())
        processes = {pathlib.Path(command.split()[0]).name: pid for pid, command in lab.pids("relay").items()}
        dataplane, control = processes["turnpike-dataplane"], processes["turnpike-control"]
        for pid in (dataplane, control):
            for name in ("cmdline", "environ", "comm"):
                shown.append(pathlib.Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8"))
        for word in (*EVERY, "nobodys-business"):
            assert not [text for text in shown if word in text], word
        assert not in_memory(dataplane, EVERY)
        # Ephemeral credentials need the secret; passwords have become keys.
        assert in_memory(control, (PASSWORD, OTHER_PASSWORD, SECRET)) == {SECRET}
    finally:
        relay.process.terminate()
        relay.process.wait()


def test_arguments_are_hidden_once_they_are_read(lab):
    relay = Relay(lab, "--user", f"carol:{PASSWORD}", "--static-auth-secret", SECRET, "--realm", "example.org",
                  base=PORTS["socket"] + ADDRESSES + PEERS, kind="socket")
    try:
        commands = [command for command in lab.pids("relay").values() if pathlib.Path(command.split()[0]).name.startswith("turnpike-")]
        assert len(commands) == 2 and not [command for command in commands if PASSWORD in command or SECRET in command]
        assert not [word for word in (PASSWORD, SECRET) if word in relay.log()]
    finally:
        relay.process.terminate()
        relay.process.wait()
