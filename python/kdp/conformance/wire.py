"""Packets as bytes, from the words of a packet case: IPv4 and IPv6 with TCP, UDP, ICMP, ICMPv6 and SCTP.

Addresses decide the family. The keywords that all take, for the IP header: ``ttl`` (the hop limit), ``tos`` (the
traffic class); IPv4 also ``ident``, ``frag`` (flags and offset), ``df``, ``opts``; IPv6 also ``flow``, ``ext``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

__all__ = ["crc32c", "icmp", "icmp6", "internet_checksum", "ip", "ip_header_length", "sctp", "tcp", "udp"]

_ICMP, _TCP, _UDP, _ICMP6, _SCTP = 1, 6, 17, 58, 132
_FLAG_BITS = {letter: 1 << bit for bit, letter in enumerate("FSRPAUEC")}
_EXTENSIONS = {"hop": 0, "rt": 43, "frag": 44, "dst": 60}
_CHUNKS = {
    "data": 0,
    "init": 1,
    "init_ack": 2,
    "sack": 3,
    "heartbeat": 4,
    "heartbeat_ack": 5,
    "abort": 6,
    "shutdown": 7,
    "shutdown_ack": 8,
    "error": 9,
    "cookie_echo": 10,
    "cookie_ack": 11,
    "shutdown_complete": 14,
}


def internet_checksum(data: bytes) -> int:
    """The checksum of RFC 1071 over ``data``: 0 over bytes that hold their own checksum."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip(src: str, dst: str, proto: int, payload: bytes, **header: Any) -> bytes:
    """An IP packet with any payload."""
    return (_ipv6 if ":" in src else _ipv4)(src, dst, proto, payload, **header)


def ip_header_length(packet: bytes) -> int:
    """Bytes of the IPv4 header with its options, or of the fixed IPv6 header."""
    return 40 if packet[0] >> 4 == 6 else (packet[0] & 15) * 4


def tcp(
    src: str,
    dst: str,
    sport: int,
    dport: int,
    *,
    flags: str | int = "S",
    seq: int = 0,
    ack: int = 0,
    win: int = 65535,
    data: bytes = b"",
    opts: bytes | Mapping[str, Any] = b"",
    urg: int = 0,
    badsum: bool = False,
    **header: Any,
) -> bytes:
    """A TCP segment. ``flags``: letters of FSRPAUEC; ``opts``: bytes, or mss, sackok, wscale, sack, ts."""
    options = opts if isinstance(opts, bytes) else _tcp_options(opts)
    options += b"\x01" * (-len(options) % 4)
    bits = flags if isinstance(flags, int) else sum(_FLAG_BITS[letter] for letter in flags.replace(".", ""))
    offset = (5 + len(options) // 4) << 4
    numbers = (sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, offset, bits, win, 0, urg)
    segment = struct.pack("!HHIIBBHHH", *numbers) + options + data
    return ip(src, dst, _TCP, _summed(src, dst, _TCP, segment, 16, badsum=badsum), **header)


def udp(
    src: str,
    dst: str,
    sport: int,
    dport: int,
    *,
    data: bytes = b"",
    nosum: bool = False,
    badsum: bool = False,
    ulen: int | None = None,
    **header: Any,
) -> bytes:
    """A UDP datagram. ``nosum``: without a checksum; ``ulen``: another length in its header than the true one."""
    segment = struct.pack("!HHHH", sport, dport, 8 + len(data) if ulen is None else ulen, 0) + data
    if not nosum:
        segment = _summed(src, dst, _UDP, segment, 6, badsum=badsum)
    return ip(src, dst, _UDP, segment, **header)


def icmp(
    src: str,
    dst: str,
    *,
    type: int = 8,  # noqa: A002 - the word of the case files
    code: int = 0,
    id: int = 0,  # noqa: A002 - likewise
    seq: int = 0,
    data: bytes = b"",
    rest: bytes | None = None,
    badsum: bool = False,
    **header: Any,
) -> bytes:
    """An ICMP message, an echo request unless told otherwise; ``rest``: the second word in place of id and seq."""
    body = struct.pack("!BBH", type, code, 0) + (struct.pack("!HH", id, seq) if rest is None else rest) + data
    checksum = internet_checksum(body) ^ (0x55 if badsum else 0)
    return ip(src, dst, _ICMP, _at(body, 2, struct.pack("!H", checksum)), **header)


def icmp6(
    src: str,
    dst: str,
    *,
    type: int = 128,  # noqa: A002 - the word of the case files
    code: int = 0,
    id: int = 0,  # noqa: A002 - likewise
    seq: int = 0,
    data: bytes = b"",
    rest: bytes | None = None,
    badsum: bool = False,
    **header: Any,
) -> bytes:
    """An ICMPv6 message, an echo request unless told otherwise."""
    body = struct.pack("!BBH", type, code, 0) + (struct.pack("!HH", id, seq) if rest is None else rest) + data
    return ip(src, dst, _ICMP6, _summed(src, dst, _ICMP6, body, 2, badsum=badsum), **header)


def sctp(
    src: str,
    dst: str,
    sport: int,
    dport: int,
    *,
    chunks: Sequence[tuple[str, int, bytes]],
    vtag: int = 0,
    badsum: bool = False,
    **header: Any,
) -> bytes:
    """An SCTP packet. ``chunks``: (name, flags, body) of each."""
    body = b"".join(_chunk(*chunk) for chunk in chunks)
    ports = struct.pack("!HHI", sport, dport, vtag)
    checksum = crc32c(ports + bytes(4) + body) ^ (1 if badsum else 0)
    return ip(src, dst, _SCTP, ports + struct.pack("<I", checksum) + body, **header)


def _ipv4(
    src: str,
    dst: str,
    proto: int,
    payload: bytes,
    *,
    ttl: int = 64,
    ident: int = 0,
    tos: int = 0,
    frag: int = 0,
    df: bool = False,
    opts: bytes = b"",
) -> bytes:
    words = 5 + len(opts) // 4
    fragment = frag | (0x4000 if df else 0)
    numbers = (0x40 | words, tos, words * 4 + len(payload), ident, fragment, ttl, proto, 0)
    header = struct.pack("!BBHHHBBH", *numbers) + _packed(src) + _packed(dst) + opts
    return _at(header, 10, struct.pack("!H", internet_checksum(header))) + payload


def _ipv6(
    src: str,
    dst: str,
    proto: int,
    payload: bytes,
    *,
    ttl: int = 64,
    tos: int = 0,
    flow: int = 0,
    ext: Sequence[Sequence[str | bytes]] = (),
) -> bytes:
    body, following = payload, proto
    for kind, given in reversed(ext):
        assert isinstance(kind, str), "an extension header begins with its name"
        content = bytes.fromhex(given) if isinstance(given, str) else given
        if kind != "frag":
            content += bytes(-(2 + len(content)) % 8)
        eights = 0 if kind == "frag" else (2 + len(content)) // 8 - 1
        body, following = bytes([following, eights]) + content + body, _EXTENSIONS[kind]
    first = 6 << 28 | tos << 20 | flow
    return struct.pack("!IHBB", first, len(body), following, ttl) + _packed(src) + _packed(dst) + body


def _packed(address: str) -> bytes:
    return ip_address(address).packed


def _at(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


def _summed(src: str, dst: str, proto: int, segment: bytes, offset: int, *, badsum: bool) -> bytes:
    """The segment with its checksum, which also covers the addresses."""
    if ":" in src:
        pseudo = _packed(src) + _packed(dst) + struct.pack("!IHBB", len(segment), 0, 0, proto)
    else:
        pseudo = _packed(src) + _packed(dst) + struct.pack("!BBH", 0, proto, len(segment))
    checksum = internet_checksum(pseudo + segment)
    if proto == _UDP and checksum == 0:
        checksum = 0xFFFF  # 0 would say: no checksum
    return _at(segment, offset, struct.pack("!H", checksum ^ (0x5500 if badsum else 0)))


def _tcp_options(named: Mapping[str, Any]) -> bytes:
    options = b""
    if "mss" in named:
        options += struct.pack("!BBH", 2, 4, named["mss"])
    if named.get("sackok"):
        options += b"\x04\x02"
    if "wscale" in named:
        options += struct.pack("!BBB", 3, 3, named["wscale"])
    if "sack" in named:
        blocks = b"".join(struct.pack("!II", *edges) for edges in named["sack"])
        options += struct.pack("!BB", 5, 2 + len(blocks)) + blocks
    if "ts" in named:
        options += struct.pack("!BBII", 8, 10, *named["ts"])
    return options


def _chunk(name: str, flags: int, body: bytes) -> bytes:
    chunk = struct.pack("!BBH", _CHUNKS[name], flags, 4 + len(body)) + body
    return chunk + bytes(-len(chunk) % 4)


def crc32c(data: bytes) -> int:
    """The checksum of SCTP. Source: RFC 9260, appendix A."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF
