"""kdp packet, replay and conntrack, as users type them."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kdp import _core

if TYPE_CHECKING:
    from tests.cli.conftest import Run

BOX = Path(__file__).resolve().parents[2] / "examples" / "box"
OPTIONS = ("--rules", str(BOX / "node.save"), "--host", str(BOX / "box.json"))
SYN = "tcp 10.0.0.9:40000 > 10.96.0.10:80 S"
NFT = """\
table ip guard {
	set bad {
		type ipv4_addr
		elements = { 10.0.0.66 }
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		ip saddr @bad drop
		tcp dport { 1,
			2 } accept
		udp dport 53 reject
	}
}
"""


def test_a_packet_is_told_with_the_lines_of_its_rules(run: Run) -> None:
    done = run("packet", *OPTIONS, SYN, "reply 1 S. seq 5 ack 1")
    assert done.status == 0
    assert "leaves by cni0: tcp 10.244.1.1:40000 > 10.244.1.5:8080 S" in done.out
    assert f"nat KUBE-SEP-WEB rule 1: dnat to 10.244.1.5:8080  ({BOX / 'node.save'}:12)" in done.out
    assert "leaves by eth0: tcp 10.96.0.10:80 > 10.0.0.9:40000 S. seq 5" in done.out
    assert "SYN_RECV src=10.0.0.9 dst=10.96.0.10 sport=40000" in done.out
    assert "\x1b" not in done.out


def test_a_packet_as_json(run: Run) -> None:
    done = run("packet", *OPTIONS, "-o", "json", SYN)
    data = json.loads(done.out)
    assert data["kind"] == "PacketList"
    (packet,) = data["packets"]
    assert (packet["verdict"], packet["reason"], packet["device"]) == ("forward", None, "eth0")
    assert packet["outs"][0]["fields"]["dport"] == 8080
    assert {step["line"] for step in packet["steps"] if step["kind"] == "rule"} >= {f"{BOX / 'node.save'}:12"}


def test_rules_of_nft_have_lines_too(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "guard.nft"
    path.write_text(NFT)
    for source, line in (("10.0.0.66:1 > 10.244.1.5:53", 9), ("10.0.0.9:1 > 10.244.1.5:53", 12)):
        done = run("packet", "--rules", str(path), *OPTIONS[2:], f"udp {source}")
        assert f"({path}:{line})" in done.out


def test_the_exit_code_tells_a_drop(run: Run) -> None:
    dropped = "udp 10.0.0.9:1 > 10.244.1.5:2"
    assert run("packet", *OPTIONS, dropped).status == 0
    done = run("packet", *OPTIONS, "--exit-code", dropped)
    assert done.status == 3
    assert "drop: the chain's policy drops it" in done.out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (
            (*OPTIONS, "tcp 10.0.0.9:70000 > 1.1.1.1:1"),
            2,
            "error[packet-syntax]: packet 1, column 14: port 70000",
        ),
        ((*OPTIONS, SYN, "reply 7"), 2, "packet 2: there is no packet 7 before it"),
        (
            (*OPTIONS, "udp 10.0.0.9:1 > 10.244.1.5:2", "reply 1"),
            2,
            "packet 1 went nowhere (the chain's policy drops it)",
        ),
        ((*OPTIONS, "--in", "eth9", SYN), 2, "error[usage]: --in eth9: the box has lo, eth0, cni0"),
        ((*OPTIONS, f"eth9: {SYN}"), 2, "error[device-unknown]"),
        ((SYN,), 2, "error[topology-unknown]: the box has no device"),
        (("--host", "/nowhere.json", SYN), 1, "error[file-not-found]: /nowhere.json"),
    ],
)
def test_a_fault_is_named(run: Run, arguments: tuple[str, ...], status: int, said: str) -> None:
    done = run("packet", *arguments)
    assert done.status == status
    assert said in done.err


def test_rules_that_are_not_known_name_their_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "odd.save"
    path.write_text("*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m frobnicate -j DROP\nCOMMIT\n")
    done = run("packet", "--rules", str(path), *OPTIONS[2:], SYN)
    assert done.status == 1
    assert done.err.startswith(f"error[rule-match-not-modelled]: {path}:3: ")


def test_a_capture_is_replayed_at_its_times(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.pcapng"
    done = run("replay", str(BOX / "in.pcap"), *OPTIONS, "--pcap-out", str(out))
    assert done.status == 0
    assert "forward   2         88" in done.out
    assert "left: 2 by cni0" in done.out
    assert "after 1.500000 s" in done.out
    before = _core.read_capture((BOX / "in.pcap").read_bytes())
    after = _core.read_capture(out.read_bytes())
    assert [frame[:2] for frame in after] == [(frame[0], "cni0") for frame in before[:2]]


def test_verbose_and_json(run: Run) -> None:
    done = run("replay", str(BOX / "in.pcap"), *OPTIONS, "-v")
    assert "4. tcp 10.0.0.9:40001 > 10.96.0.11:80 S" in done.out
    assert "filter FORWARD policy: drop" in done.out
    data = json.loads(run("replay", str(BOX / "in.pcap"), *OPTIONS, "-o", "json").out)
    assert data["kind"] == "Replay"
    assert {each["verdict"]: each["packets"] for each in data["verdicts"]} == {"forward": 2, "drop": 2}
    assert "packets" not in data


def test_frames_that_are_no_packets_are_counted(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mixed.pcap"
    arp = bytes.fromhex("0102030405060708090a0b0c0806000108000604")
    cut = bytes.fromhex("0102030405060708090a0b0c0800") + b"\x45" * 20
    frames = b""
    for number, (data, original) in enumerate([(arp, len(arp)), (cut, 999)]):
        frames += struct.pack("<IIII", 7 - number, 0, len(data), original) + data
    path.write_bytes(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000") + frames)
    done = run("replay", str(path), *OPTIONS)
    assert "skipped   1                 ARP" in done.out
    assert "cut by the capture's snaplen" in done.out
    assert "note: 1 frames are older than the one before" in done.out


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "capture-malformed"),
        (b"GIF89a and more bytes than a header has", "capture-malformed"),
        ((BOX / "in.pcap").read_bytes()[:-3], "capture-malformed"),
        (bytes.fromhex("d4c3b2a1020004000000000000000000ffff00007f000000"), "capture-link-type-not-modelled"),
    ],
)
def test_a_bad_capture_is_refused(run: Run, tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "bad.pcap"
    path.write_bytes(content)
    done = run("replay", str(path), *OPTIONS)
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"error[{code}]: ")


def test_conntrack_is_the_tool(run: Run) -> None:
    replay = ("--replay", str(BOX / "in.pcap"), *OPTIONS)
    listed = run("conntrack", "-L", "-p", "tcp", *replay)
    assert listed.out.startswith("tcp      6 118 SYN_SENT src=10.0.0.9 dst=10.96.0.10 sport=40000")
    assert "1 flow entries have been shown." in listed.err
    assert run("conntrack", *replay, "--at", "130s").out == ""
    assert run("conntrack", "-C", *replay).out == "1\n"
    deleted = run("conntrack", "-D", "-p", "udp", *replay)
    assert (deleted.status, deleted.out) == (1, "")
    by_packet = run("conntrack", *OPTIONS, "--packet", "udp 10.0.0.9:5 > 10.0.0.1:6")
    assert "sport=5 dport=6 [UNREPLIED]" in by_packet.out
