"""A packet's bytes as a line of the packet language, so that what came out can be read, and sent in again."""

from __future__ import annotations

import struct
from socket import AF_INET6, inet_ntoa, inet_ntop
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["dissect", "packet_line"]

_TCP, _UDP, _SCTP = 6, 17, 132
_NAMES = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6", 132: "sctp", 47: "gre"}
_ICMP_NAMES = {
    1: {0: "echo-reply", 3: "unreachable", 5: "redirect", 8: "echo-request", 11: "time-exceeded"},
    58: {1: "unreachable", 2: "too-big", 3: "time-exceeded", 128: "echo-request", 129: "echo-reply"},
}
_ECHOES = {1: (0, 8), 58: (128, 129)}
_ERRORS = {1: (3, 4, 5, 11, 12), 58: (1, 2, 3, 4)}
_CHUNKS = {
    0: "data",
    1: "init",
    2: "init_ack",
    3: "sack",
    4: "heartbeat",
    5: "heartbeat_ack",
    6: "abort",
    7: "shutdown",
    8: "shutdown_ack",
    9: "error",
    10: "cookie_echo",
    11: "cookie_ack",
    14: "shutdown_complete",
}
FLAGS = "FSRPAUEC"


def dissect(packet: bytes) -> dict[str, Any]:
    """The fields of an IP packet, as far as it has them.

    ``src``, ``dst``, ``proto``, ``ttl``, ``tos``, ``length``; of a transport ``sport``, ``dport``, ``flags``,
    ``seq``, ``ack``, ``window``, ``payload`` (bytes of it), ``chunks``; of ICMP ``type``, ``code``, ``id``;
    ``inner``: the fields of the packet that an ICMP error quotes; ``fragment``: bytes before it.
    """
    if len(packet) < 20 or packet[0] >> 4 not in (4, 6) or (packet[0] >> 4 == 6 and len(packet) < 40):
        return {}
    fields, at = (_ipv6 if packet[0] >> 4 == 6 else _ipv4)(packet)
    if fields.get("fragment"):
        return fields
    body = packet[at : fields["length"]]
    protocol = fields["protocol"]
    if protocol in (_TCP, _UDP, _SCTP) and len(body) >= 8:
        fields["sport"], fields["dport"] = struct.unpack_from("!HH", body)
        fields |= {_TCP: _tcp, _UDP: _udp, _SCTP: _sctp}[protocol](body)
    elif protocol in _ECHOES and len(body) >= 8:
        fields |= _icmp(body, protocol)
    else:
        fields["payload"] = len(body)
    return fields


def _ipv4(packet: bytes) -> tuple[dict[str, Any], int]:
    fragment = struct.unpack_from("!H", packet, 6)[0]
    fields = {
        "src": inet_ntoa(packet[12:16]),
        "dst": inet_ntoa(packet[16:20]),
        "protocol": packet[9],
        "ttl": packet[8],
        "tos": packet[1],
        "ident": struct.unpack_from("!H", packet, 4)[0],
        "df": bool(fragment & 0x4000),
        "mf": bool(fragment & 0x2000),
        "fragment": (fragment & 0x1FFF) * 8,
        "length": struct.unpack_from("!H", packet, 2)[0],
    }
    fields["proto"] = _NAMES.get(packet[9], str(packet[9]))
    return fields, (packet[0] & 15) * 4


def _ipv6(packet: bytes) -> tuple[dict[str, Any], int]:
    first, length, protocol, hops = struct.unpack_from("!IHBB", packet)
    fields = {
        "src": inet_ntop(AF_INET6, packet[8:24]),
        "dst": inet_ntop(AF_INET6, packet[24:40]),
        "ttl": hops,
        "tos": first >> 20 & 255,
        "flow": first & 0xFFFFF,
        "length": 40 + length,
    }
    at = 40
    while protocol in (0, 43, 44, 60) and len(packet) >= at + 8:
        if protocol == 44:
            offset = struct.unpack_from("!H", packet, at + 2)[0]
            fields |= {"fragment": offset & 0xFFF8, "mf": bool(offset & 1)}
        protocol, at = packet[at], at + (8 if protocol == 44 else 8 + packet[at + 1] * 8)
    return fields | {"protocol": protocol, "proto": _NAMES.get(protocol, str(protocol))}, at


def _tcp(body: bytes) -> dict[str, Any]:
    if len(body) < 20:
        return {}
    seq, ack, offset, bits, window = struct.unpack_from("!IIBBH", body, 4)
    flags = "".join(letter for bit, letter in enumerate(FLAGS) if bits >> bit & 1)
    payload = max(0, len(body) - (offset >> 4) * 4)
    return {"flags": flags, "seq": seq, "ack": ack, "window": window, "payload": payload}


def _udp(body: bytes) -> dict[str, Any]:
    return {"payload": len(body) - 8}


def _sctp(body: bytes) -> dict[str, Any]:
    chunks, at = [], 12
    while len(body) >= at + 4:
        kind, _, length = struct.unpack_from("!BBH", body, at)
        chunks.append(_CHUNKS.get(kind, str(kind)))
        at += max(4, (length + 3) // 4 * 4)
    return {"vtag": struct.unpack_from("!I", body, 4)[0], "chunks": chunks}


def _icmp(body: bytes, protocol: int) -> dict[str, Any]:
    kind, code, _, number, seq = struct.unpack_from("!BBHHH", body)
    found: dict[str, Any] = {"type": kind, "code": code, "payload": len(body) - 8}
    if kind in _ECHOES[protocol]:
        found |= {"id": number, "seq": seq}
    elif kind in _ERRORS[protocol]:
        found["inner"] = dissect(body[8:])
    return found


def packet_line(packet: bytes) -> str:
    """One line: protocol, ends, then what is of interest."""
    fields = dissect(packet)
    if not fields:
        return f"{len(packet)} bytes that are no IP packet"
    return f"{_headline(fields)} {_rest(fields)}".strip()


def _headline(fields: Mapping[str, Any]) -> str:
    proto = fields["proto"] if fields["protocol"] in _NAMES else f"ip proto {fields['proto']}"
    ends = " > ".join(
        _end(fields[side], fields.get(port)) for side, port in (("src", "sport"), ("dst", "dport"))
    )
    return f"{proto} {ends}"


def _end(address: str, port: int | None) -> str:
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _rest(fields: Mapping[str, Any]) -> str:
    words: list[str] = []
    if "flags" in fields:
        words.append(fields["flags"].replace("A", ".") or "none")
        words += [f"seq {fields['seq']}", f"ack {fields['ack']}", f"win {fields['window']}"]
    if "type" in fields:
        words.append(_ICMP_NAMES[fields["protocol"]].get(fields["type"], f"type {fields['type']}"))
        words += [f"code {fields['code']}"] if fields["code"] else []
        words += [f"id {fields['id']} seq {fields['seq']}"] if "id" in fields else []
    words += fields.get("chunks", ())
    inner = fields.get("inner")
    if inner:
        words.append(f"about ({_headline(inner)})")
    elif fields.get("payload"):
        words.append(f"len {fields['payload']}")
    if fields.get("fragment") or fields.get("mf"):
        words.append(f"fragment at {fields.get('fragment', 0)}{'' if fields.get('mf') else ', the last'}")
    words.append(f"ttl {fields['ttl']}")
    words += [f"tos {fields['tos']}"] if fields["tos"] else []
    return " ".join(words)
