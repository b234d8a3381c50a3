"""The packet language: lines become packets, packets become lines, faults have columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kdp.conformance.packet_spec import build
from kdp.dissect import dissect, packet_line
from kdp.errors import UsageError
from kdp.packet_language import read_line

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address


def packet_of(text: str) -> bytes:
    line = read_line(text)
    assert line is not None
    return build(line.spec, lambda number: packet_of(f"udp 10.0.0.1:{number} > 10.0.0.2:2"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tcp 10.0.0.9:40000 > 10.96.0.10:80 S", "S seq 0 ack 0 win 65535 ttl 64"),
        ("tcp 1.1.1.1:1>2.2.2.2:2 [P.] seq=7 ack 8 win 9 len 3 ttl 5", "P. seq 7 ack 8 win 9 len 3 ttl 5"),
        ("tcp 1.1.1.1:1 > 2.2.2.2:2 none tos 0x10", "none seq 0 ack 0 win 65535 ttl 64 tos 16"),
        ("udp [fd00::1]:53 > [fd00::2]:5353 data cafe", "len 2 ttl 64"),
        ("icmp 1.1.1.1 > 2.2.2.2 id 7 seq 1", "echo-request id 7 seq 1 ttl 64"),
        ("icmp6 fd00::1 > fd00::2 echo-reply id 7", "echo-reply id 7 seq 0 ttl 64"),
        ("icmp 1.1.1.1 > 2.2.2.2 unreachable code 1 about 9", "about (udp 10.0.0.1:9 > 10.0.0.2:2) ttl 64"),
        ("sctp 1.1.1.1:1 > 2.2.2.2:2 cookie_ack data vtag 5", "cookie_ack data ttl 64"),
        ("gre 1.1.1.1 > 2.2.2.2 key 7", "gre 1.1.1.1 > 2.2.2.2 len 8 ttl 64"),
        ("ip 1.1.1.1 > 2.2.2.2 proto 89 len 10 # OSPF", "ip proto 89 1.1.1.1 > 2.2.2.2 len 10 ttl 64"),
    ],
)
def test_a_line_is_the_packet_that_it_says(text: str, told: str) -> None:
    assert packet_line(packet_of(text)).endswith(told)


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("tcp 10.0.0.9:70000 > 1.1.1.1:80", 14, "port 70000 is outside 0..=65535"),
        ("tcp 10.0.0.9 > 1.1.1.1:1", 5, "tcp needs a port: 10.0.0.9:PORT"),
        ("tpc 1.1.1.1:1 > 2.2.2.2:2", 1, "did you mean tcp?"),
        ("tcp 1.1.1.1:1 2.2.2.2:2", 15, "'>' is wanted between the two ends"),
        ("tcp 1.1.1.1:1 > 2.2.2.2:2 ttl 300", 31, "ttl 300 is outside 0..=255"),
        ("tcp 1.1.1.1:1 > 2.2.2.2:2 ttl=x", 31, "'x' is no number for ttl"),
        ("tcp 1.1.1.1:1 > 2.2.2.2:2 tll 3", 27, "did you mean ttl?"),
        ("udp [fd00::1]:1 > 2.2.2.2:2", 19, "2.2.2.2 is not of the family of fd00::1"),
        ("udp [fd00::1]:1 > [fd00::2]:2 ident 3", 31, "ident is no field of IPv6"),
        ("icmp 1.1.1.1:5 > 2.2.2.2", 14, "icmp has no ports"),
        ("icmp fd00::1 > fd00::2", 6, "icmp has no address of this family"),
        ("tcp 1.1.1.1:1 > 2.2.2.2:2 seq", 30, "a number for seq is wanted here"),
        ("udp 1.1.1.1:1 > 2.2.2.2:2 data abc", 32, "not pairs of hexadecimal digits"),
        ("wait 5x", 6, "'5x' is no time such as 200ms"),
        ("eth0: tcp 1.1.1:1 > 2.2.2.2:2", 11, "'1.1.1' is no IP address"),
    ],
)
def test_a_fault_has_its_column(text: str, column: int, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_line(text, "line 3")
    assert caught.value.code == "packet-syntax"
    assert caught.value.message.startswith(f"line 3, column {column}: ")
    assert said in caught.value.message
    assert caught.value.message.endswith(" " * (4 + column - 1) + "^")


def test_what_is_no_packet() -> None:
    assert read_line("  # a remark") is None
    wait = read_line("wait 1.5s")
    assert wait is not None
    assert wait.wait_ns == 1_500_000_000
    reply = read_line("cni0: reply 2 S. ack 4 mark 0x4000")
    assert reply is not None
    assert (reply.device, reply.reply_to, reply.mark) == ("cni0", 2, 0x4000)
    assert reply.spec == {"flags": "SA", "ack": 4}


ENDS = st.one_of(st.tuples(*[st.ip_addresses(v=4)] * 2), st.tuples(*[st.ip_addresses(v=6)] * 2))


@given(ENDS, st.integers(0, 65535), st.integers(0, 255), st.integers(1, 255), st.integers(0, 2**32 - 1))
def test_what_is_written_reads_the_same_again(
    ends: tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address],
    port: int,
    flags: int,
    ttl: int,
    seq: int,
) -> None:
    src, dst = (f"[{end}]" if end.version == 6 else str(end) for end in ends)
    letters = "".join(letter for bit, letter in enumerate("FSRPAUEC") if flags >> bit & 1) or "none"
    packet = packet_of(f"tcp {src}:{port} > {dst}:80 {letters} seq {seq} ttl {ttl} len {port % 50}")
    again = packet_of(packet_line(packet))
    assert again == packet
    assert dissect(packet)["ttl"] == ttl


@given(st.binary(max_size=80))
def test_any_bytes_make_a_line(bytes_: bytes) -> None:
    assert packet_line(bytes_)


@given(st.text(max_size=40))
def test_any_text_is_a_line_or_a_fault(text: str) -> None:
    try:
        read_line(text)
    except UsageError as error:
        assert error.code == "packet-syntax"  # noqa: PT017 -- whether it is raised is not the question
