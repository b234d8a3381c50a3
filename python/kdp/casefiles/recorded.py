"""A packet as the fields that a recorded run states of it, under the names that case files use."""

from __future__ import annotations

import struct
from socket import AF_INET6, inet_ntoa, inet_ntop
from typing import Any

from kdp.conformance.wire import crc32c, internet_checksum

__all__ = ["recorded_fields"]

_ICMP, _TCP, _UDP, _ICMP6, _SCTP = 1, 6, 17, 58, 132
_NAMES = {_ICMP: "icmp", _TCP: "tcp", _UDP: "udp", _ICMP6: "icmpv6", _SCTP: "sctp", 47: "gre"}
_FLAGS = "FSRPAUEC"
_ERRORS = (3, 4, 5, 11, 12)
_ECHOES_6 = (128, 129)
_EXTENSIONS = (0, 43, 44, 60)
_OFFSET = 0x1FFF
_MORE_OR_OFFSET = 0x3FFF

Fields = dict[str, Any]


def recorded_fields(packet: bytes, *, inner: bool = False) -> Fields:
    """``src``, ``dst``, ``proto``, ``ttl``, ``tos``; ``frag``, ``ext``, ``flow`` where there are; a transport has more.

    ``plen``: bytes of payload. ``inner``: the packet that an ICMP error quotes. ``csum``: whether all checksums are
    right (not of an inner packet). Bytes that are no packet are ``raw``.
    """
    if len(packet) >= 40 and packet[0] >> 4 == 6:
        return _ipv6(packet, inner=inner)
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return {"raw": packet.hex()}
    return _ipv4(packet, inner=inner)


def _ipv4(packet: bytes, *, inner: bool) -> Fields:
    at = (packet[0] & 15) * 4
    total, fragment = struct.unpack_from("!H", packet, 2)[0], struct.unpack_from("!H", packet, 6)[0]
    protocol = packet[9]
    fields: Fields = {
        "src": inet_ntoa(packet[12:16]),
        "dst": inet_ntoa(packet[16:20]),
        "proto": _NAMES.get(protocol, str(protocol)),
        "ttl": packet[8],
        "tos": packet[1],
    }
    if fragment & _MORE_OR_OFFSET:
        fields["frag"] = fragment & _MORE_OR_OFFSET
    segment = packet[at:] if inner else packet[at:total]
    if not fragment & _OFFSET:
        fields |= _transport(segment, protocol)
    if not inner:
        pseudo = packet[12:20] + struct.pack("!BBH", 0, protocol, len(segment))
        is_whole = not fragment & _MORE_OR_OFFSET
        fields["csum"] = internet_checksum(packet[:at]) == 0 and (
            not is_whole or _sum_is_right(segment, protocol, pseudo)
        )
    return fields


def _ipv6(packet: bytes, *, inner: bool) -> Fields:
    first, length, protocol, hops = struct.unpack_from("!IHBB", packet)
    fields: Fields = {
        "src": inet_ntop(AF_INET6, packet[8:24]),
        "dst": inet_ntop(AF_INET6, packet[24:40]),
        "ttl": hops,
        "tos": first >> 20 & 0xFF,
    }
    if first & 0xFFFFF:
        fields["flow"] = first & 0xFFFFF
    segment = packet[40:] if inner else packet[40 : 40 + length]
    extensions, fragment = [], 0
    while protocol in _EXTENSIONS and len(segment) >= 8 and not fragment & _OFFSET:
        extensions.append(protocol)
        if protocol == 44:
            offset = struct.unpack_from("!H", segment, 2)[0]
            fragment = (0x2000 if offset & 1 else 0) | offset >> 3
        size = 8 if protocol == 44 else 8 + segment[1] * 8
        protocol, segment = segment[0], segment[size:]
    fields["proto"] = _NAMES.get(protocol, str(protocol))
    fields |= {"ext": extensions} if extensions else {}
    fields |= {"frag": fragment} if fragment else {}
    if not fragment & _OFFSET:
        fields |= _transport(segment, protocol)
    if not inner:
        pseudo = packet[8:40] + struct.pack("!IHBB", len(segment), 0, 0, protocol)
        fields["csum"] = bool(fragment) or _sum_is_right(segment, protocol, pseudo)
    return fields


def _transport(segment: bytes, protocol: int) -> Fields:
    if protocol == _TCP and len(segment) >= 8:
        return _tcp(segment)
    if protocol == _UDP and len(segment) >= 8:
        return {**_ports(segment), "plen": len(segment) - 8}
    if protocol == _SCTP and len(segment) >= 12:
        chunk = {"chunk": segment[12]} if len(segment) > 12 else {}
        return {**_ports(segment), "vtag": struct.unpack_from("!I", segment, 4)[0], **chunk}
    if protocol in (_ICMP, _ICMP6) and len(segment) >= 8:
        return _icmp(segment, is_v6=protocol == _ICMP6)
    return {}


def _ports(segment: bytes) -> Fields:
    sport, dport = struct.unpack_from("!HH", segment)
    return {"sport": sport, "dport": dport}


def _tcp(segment: bytes) -> Fields:
    fields = {**_ports(segment), "seq": struct.unpack_from("!I", segment, 4)[0]}
    if len(segment) < 20:
        return fields
    return fields | {
        "ack": struct.unpack_from("!I", segment, 8)[0],
        "flags": "".join(letter for bit, letter in enumerate(_FLAGS) if segment[13] >> bit & 1),
        "win": struct.unpack_from("!H", segment, 14)[0],
        "plen": len(segment) - (segment[12] >> 4) * 4,
    }


def _icmp(segment: bytes, *, is_v6: bool) -> Fields:
    kind = segment[0]
    fields: Fields = {"type": kind, "code": segment[1]}
    if kind < 128 if is_v6 else kind in _ERRORS:
        mtu = struct.unpack_from("!I" if is_v6 else "!H", segment, 4 if is_v6 else 6)[0]
        return fields | {"mtu": mtu, "inner": recorded_fields(segment[8:], inner=True)}
    if not is_v6 or kind in _ECHOES_6:
        number, sequence = struct.unpack_from("!HH", segment, 4)
        fields |= {"icmp_id": number, "icmp_seq": sequence}
    return fields


def _sum_is_right(segment: bytes, protocol: int, pseudo: bytes) -> bool:
    """Whether a transport's checksum is right; one that there is not is no wrong one."""
    if protocol == _SCTP:
        return len(segment) < 12 or struct.unpack_from("<I", segment, 8)[0] == crc32c(
            segment[:8] + bytes(4) + segment[12:]
        )
    if protocol == _ICMP:
        return internet_checksum(segment) == 0
    if protocol == _UDP and segment[6:8] == b"\0\0" and len(pseudo) < 40:
        return True
    return protocol not in (_TCP, _UDP, _ICMP6) or internet_checksum(pseudo + segment) == 0
