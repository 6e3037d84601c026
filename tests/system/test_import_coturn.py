# SPDX-License-Identifier: BSD-3-Clause
"""turnpike-control --import-coturn: coturn's own example file, line by line, and a relay from an imported file."""

import pathlib
import re
import subprocess

import pytest

from netns import ROOT, Lab
from relay import PRESET, Relay
from turn_client import TurnClient

BINARIES = ROOT / "build" / PRESET / "bin"
EXAMPLE = pathlib.Path("/usr/share/doc/coturn/examples/etc/turnserver.conf")
BASE = "user=alice:secret\nrealm=north.gov\n"
CONTRADICTORY = ("no-auth",)


def run(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=30, check=False)


def import_text(tmp_path, text):
    """The imported file's text; both programs find it valid."""
    source, result = tmp_path / "turnserver.conf", tmp_path / "turnpike.conf"
    source.write_text(text)
    result.unlink(missing_ok=True)
    done = run(BINARIES / "turnpike-control", "--import-coturn", source, "--output", result)
    assert done.returncode == 0 and "before it can be used" not in done.stderr, done.stderr + result.read_text()
    for program in ("turnpike-control", "turnpike-dataplane"):
        checked = run(BINARIES / program, "--config", result, "--check-config")
        assert checked.returncode == 0, f"{program}: {checked.stderr}\n{text}\n{result.read_text()}"
    return result.read_text()


def example_settings():
    """Every setting of the example, commented out or not."""
    names = set(re.findall(r"^\| `([\w-]+)` \|", (ROOT / "docs/coturn-migration.md").read_text(), re.MULTILINE))
    found = []
    for line in EXAMPLE.read_text().splitlines():
        match = re.match(r"#? ?([A-Za-z][\w-]*)(=.*| \".*\")?$", line)
        if match and match.group(1) in names:
            found.append(line.lstrip("# "))
    return found


def test_the_example_is_read(tmp_path):
    assert len(example_settings()) > 110
    text = import_text(tmp_path, EXAMPLE.read_text())
    assert "syslog=true" in text.splitlines() and "# TURN listener port for UDP and TCP" in text
    assert "no-auth=true" in text.splitlines()


def test_every_setting_of_the_example(tmp_path):
    """Uncommented one at a time, each has a line of ours, or a comment that names it and says why."""
    for setting in example_settings():
        text = import_text(tmp_path, BASE + setting + "\n")
        key = re.split("[= ]", setting)[0]
        ours = re.search(rf"^{key}=", text.replace(BASE, ""), re.MULTILINE)
        answered = re.search(rf"^# {key}\b.*: \S", text, re.MULTILINE)
        assert ours or answered, f"{setting}\n{text}"


def test_all_settings_of_the_example_at_once(tmp_path):
    settings = [setting for setting in example_settings() if setting not in CONTRADICTORY]
    text = import_text(tmp_path, "\n".join(settings))
    for line in ("port=socket:172.17.19.101:3478", "port=socket:[2607:f0d0:1002:51::4]:3478", "min-port=49152",
                 "software-attribute=false", "workers=1", "relay-ip=172.17.19.105", "user=ninefingers:youhavetoberealistic"):
        assert line in text.splitlines(), f"{line}\n{text}"
    assert "no-auth=true" not in text.splitlines()


def test_the_file_is_its_owners_and_new(tmp_path):
    import_text(tmp_path, BASE)
    result = tmp_path / "turnpike.conf"
    assert result.stat().st_mode & 0o777 == 0o600
    again = run(BINARIES / "turnpike-control", "--import-coturn", EXAMPLE, "--output", result)
    assert again.returncode == 1 and "remove it or choose another name" in again.stderr
    assert "alice" in result.read_text()
    missing = run(BINARIES / "turnpike-control", "--import-coturn", tmp_path / "nothing")
    assert missing.returncode == 1 and "cannot be read" in missing.stderr and missing.stdout == ""


def test_without_output_it_is_printed(tmp_path):
    source = tmp_path / "turnserver.conf"
    source.write_text(f"fingerprint\nuser=alice:secret\nrealm={'r' * 200}\n")
    done = run(BINARIES / "turnpike-control", "--import-coturn", source)
    assert done.returncode == 0 and "\n# fingerprint: " in done.stdout and "\nuser=alice:secret\n" in done.stdout
    assert "2 settings carried over, 1 left as comments" in done.stderr
    assert "before it can be used: realm is longer than 127 bytes" in done.stderr
    assert run(BINARIES / "turnpike-dataplane", "--import-coturn", source).returncode == 1


def test_values_that_are_refused_become_comments(tmp_path):
    text = import_text(tmp_path, BASE + "relay-ip=host\nmin-port=60000\nmax-port=50000\ndenied-peer-ip=10.0.0.0-9\n"
                       "user=bob:hidden\nrelay-threads=many\nverbose\n")
    for line in ("# relay-ip=host: not an IP address", "# workers=many: not a whole number", "user=bob:hidden", "verbose=true"):
        assert any(found.startswith(line) for found in text.splitlines()), f"{line}\n{text}"
    assert re.search("^# denied-peer-ip=10.0.0.0-9: ", text, re.MULTILINE), text


def test_an_imported_file_serves(lab, tmp_path):
    import_text(tmp_path, f"""# A coturn as many run it
listening-ip={Lab.LISTEN}
listening-port 5000
relay-ip={Lab.RELAY}
min-port=50000
max-port=50100
fingerprint
lt-cred-mech
user=alice:secret
realm="example.org"
allowed-peer-ip=10.0.0.0-10.255.255.255
no-cli
no-multicast-peers
stale-nonce
""")
    relay = Relay(lab, base=("--config", tmp_path / "turnpike.conf"))
    try:
        assert relay.ready == f"turn:{Lab.LISTEN}:5000"
        client, peer = TurnClient(lab.udp("client", Lab.CLIENT), (Lab.LISTEN, 5000)), lab.udp("peer", Lab.PEER)
        host, port = client.allocate()
        assert host == Lab.RELAY and 50000 <= port <= 50100
        client.bind(0x4000, peer.getsockname())
        client.send_channel(0x4000, b"imported")
        assert peer.recv(100) == b"imported"
    finally:
        relay.stop()


@pytest.mark.parametrize("text", ("", "# only a comment", "\n\n", "realm", "=x", "user=", "\x00\xff=\x01\n"))
def test_odd_files(tmp_path, text):
    source = tmp_path / "turnserver.conf"
    source.write_bytes(text.encode("latin-1"))
    done = run(BINARIES / "turnpike-control", "--import-coturn", source, "--output", tmp_path / "turnpike.conf")
    assert done.returncode == 0, done.stderr
