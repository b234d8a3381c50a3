"""The judge itself: known answers, so that a deviation is the kernel's word and not the judge's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdp.conformance import wire

if TYPE_CHECKING:
    from tests.kernel.judge import MakeJudge

BOX = {"devs": {"left0": ["10.0.0.1/24"], "right0": ["10.1.0.1/24"]}}
RULES = """*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.1.0.2:8080
COMMIT
*filter
:FORWARD ACCEPT [0:0]
-A FORWARD -d 10.1.0.3/32 -j DROP
-A FORWARD -d 10.1.0.4/32 -p udp -j REJECT --reject-with icmp-port-unreachable
COMMIT
"""


def test_a_packet_is_forwarded_and_its_time_to_live_shrinks(judge: MakeJudge) -> None:
    box = judge(BOX)
    seen = box.receive("left0", wire.udp("10.0.0.2", "10.1.0.2", 1000, 53, ttl=9))
    assert seen.verdict == "forward"
    assert seen.outs == (("right0", wire.udp("10.0.0.2", "10.1.0.2", 1000, 53, ttl=8)),)
    assert seen.ctstate == ("NEW",)


def test_a_packet_for_the_box_is_kept_from_its_stack(judge: MakeJudge) -> None:
    box = judge(BOX)
    packet = wire.tcp("10.0.0.2", "10.0.0.1", 1000, 80)
    seen = box.receive("left0", packet)
    assert (seen.verdict, seen.outs, seen.local) == ("local", (), (packet,))
    assert [entry["tcp"]["state"] for entry in box.conntrack()] == ["SYN_SENT"], "seen after it was confirmed"


def test_drop_and_reject_are_told_apart(judge: MakeJudge) -> None:
    box = judge(BOX)
    box.load_rules(RULES)
    assert box.receive("left0", wire.udp("10.0.0.2", "10.1.0.3", 1000, 53)).verdict == "drop"
    seen = box.receive("left0", wire.udp("10.0.0.2", "10.1.0.4", 1000, 53))
    assert seen.verdict == "reject"
    assert [device for device, _ in seen.outs] == ["left0"]
    assert box.conntrack() == []


def test_translation_is_seen_in_packets_and_in_the_table(judge: MakeJudge) -> None:
    box = judge(BOX)
    box.load_rules(RULES)
    there = box.receive("left0", wire.tcp("10.0.0.2", "10.96.0.1", 1000, 80, seq=7))
    assert there.outs == (("right0", wire.tcp("10.0.0.2", "10.1.0.2", 1000, 8080, seq=7, ttl=63)),)
    back = box.receive("right0", wire.tcp("10.1.0.2", "10.0.0.2", 8080, 1000, flags="SA", seq=9, ack=8))
    answer = wire.tcp("10.96.0.1", "10.0.0.2", 80, 1000, flags="SA", seq=9, ack=8, ttl=63)
    assert (back.outs, back.ctstate) == ((("left0", answer),), ("ESTABLISHED",))
    (entry,) = box.conntrack()
    assert entry["reply"] == {
        "src": "10.1.0.2",
        "dst": "10.0.0.2",
        "proto": "tcp",
        "sport": 8080,
        "dport": 1000,
    }
    assert set(entry["flags"]) >= {"SEEN_REPLY", "DST_NAT"}
    assert entry["tcp"]["state"] == "SYN_RECV"


def test_the_box_itself_can_send(judge: MakeJudge) -> None:
    box = judge(BOX)
    seen = box.send_local(wire.udp("10.0.0.1", "10.1.0.2", 1000, 53, ident=7))
    assert seen.outs == (("right0", wire.udp("10.0.0.1", "10.1.0.2", 1000, 53, ident=7)),), (
        "no hop was made yet"
    )
    assert box.send_local(wire.udp("10.0.0.1", "8.8.8.8", 1000, 53)).verdict == "error:Network is unreachable"


def test_two_boxes_know_nothing_of_each_other(judge: MakeJudge) -> None:
    one, other = judge(BOX), judge(BOX)
    one.load_rules(RULES)
    packet = wire.udp("10.0.0.2", "10.1.0.3", 1000, 53)
    assert one.receive("left0", packet).verdict == "drop"
    assert other.receive("left0", packet).verdict == "forward"
    assert one.conntrack() == []
    assert len(other.conntrack()) == 1


def test_ipv6_is_judged_without_noise(judge: MakeJudge) -> None:
    box = judge({"devs": {"left0": ["fd00:a::1/64"], "right0": ["fd00:b::1/64"]}})
    seen = box.receive("left0", wire.udp("fd00:a::2", "fd00:b::2", 1000, 53))
    assert seen.outs == (("right0", wire.udp("fd00:a::2", "fd00:b::2", 1000, 53, ttl=63)),)
    (entry,) = box.conntrack()
    assert (entry["orig"]["src"], entry["orig"]["dport"]) == ("fd00:a::2", 53)
