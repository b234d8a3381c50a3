"""Packets from the words of a case: as the recorded runs have them, byte for byte."""

from __future__ import annotations

import struct

import pytest
from kdp.conformance import wire
from kdp.conformance.packet_spec import answer_to, build
from kdp.errors import UnsupportedError

from tests.conformance.packet_cases import Case, packet_cases


def nothing_sent(step: int) -> bytes:
    raise AssertionError(f"nothing refers to step {step}")


@pytest.mark.parametrize("case", packet_cases().values(), ids=list(packet_cases()))
def test_every_recorded_packet_is_built_alike(case: Case) -> None:
    observed = case["observed"]["steps"]

    def sent(step: int, out: int = 0) -> bytes:
        return bytes.fromhex(observed[step]["outs_hex"][out][1])

    for number, (step, seen) in enumerate(zip(case["scenario"]["steps"], observed, strict=True)):
        if "pkt" in step and "hex" in seen:
            spec = step["pkt"]
            if "reply_to" in step:
                spec = answer_to(sent(step["reply_to"], step.get("out", 0)), spec)
            assert build(spec, sent).hex() == seen["hex"], f"step {number}"


def test_the_checksum_of_rfc_1071_is_zero_over_itself() -> None:
    # Source: RFC 1071 section 3, its worked example: the sum of these bytes is ddf2.
    assert wire.internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF ^ 0xDDF2
    header = wire.udp("192.0.2.1", "198.51.100.7", 1, 2, data=b"odd")[:20]
    assert wire.internet_checksum(header) == 0


def test_a_udp_checksum_is_never_the_zero_that_says_none() -> None:
    for port in range(0x10000):
        packet = wire.udp("10.0.0.1", "10.0.0.2", port, 0)
        if packet[26:28] == b"\xff\xff":
            return
        assert packet[26:28] != b"\0\0"
    pytest.fail("some port gives a sum of zero")


def test_sctp_has_the_checksum_of_rfc_9260() -> None:
    packet = wire.sctp("10.0.0.1", "10.0.0.2", 1, 2, chunks=[("heartbeat", 0, b"abc")], vtag=9)[20:]
    assert packet[12:] == struct.pack("!BBH", 4, 0, 7) + b"abc\0"
    # Source: RFC 3720 appendix B.4: the CRC32C of 32 zero bytes.
    assert wire.crc32c(bytes(32)) == 0x8A9136AA


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(UnsupportedError, match="'gre'") as caught:
        build({"k": "gre", "src": "10.0.0.1", "dst": "10.0.0.2"}, nothing_sent)
    assert caught.value.code == "case-not-modelled"
