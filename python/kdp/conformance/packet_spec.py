"""The packets of a packet case: from its words to bytes, and answers to what an earlier step sent out."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any

from kdp.conformance import wire
from kdp.errors import UnsupportedError

__all__ = ["Sent", "Spec", "answer_to", "build"]

Spec = Mapping[str, Any]
"""A packet of a case: ``k`` names its kind, the rest are fields of that kind."""

Sent = Callable[[int], bytes]
"""The first packet that the step of a number sent out."""

_NAMES = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6", 132: "sctp"}
_PLAIN: Mapping[str, Callable[..., bytes]] = {
    "tcp": wire.tcp,
    "udp": wire.udp,
    "icmp": wire.icmp,
    "icmp6": wire.icmp6,
}
_HEX = ("data", "opts", "rest")


def build(spec: Spec, sent: Sent) -> bytes:
    """The bytes of a packet. Raises ``UnsupportedError`` (``case-not-modelled``) that names a kind it has not."""
    fields: dict[str, Any] = {name: _unhexed(name, value) for name, value in spec.items()}
    kind = fields.pop("k")
    if kind in _PLAIN:
        return _PLAIN[kind](**fields)
    special = {"raw": _raw, "ip": _ip, "icmp_error": _icmp_error, "frag": _fragment, "sctp": _sctp}
    if kind not in special:
        raise UnsupportedError("case-not-modelled", f"packet case: packets of kind {kind!r} are not modelled")
    return special[kind](fields, sent)


def answer_to(packet: bytes, spec: Spec) -> dict[str, Any]:
    """The packet that whoever got ``packet`` sends back: addresses and ports swapped, the rest as ``spec`` says."""
    protocol, at = _transport(packet)
    src, dst = _addresses(packet)
    spec = {"k": _NAMES.get(protocol, str(protocol)), **spec, "src": dst, "dst": src}
    first, second = struct.unpack_from("!HH", packet, at)
    if protocol in (6, 17, 132):
        spec |= {"sport": second, "dport": first}
    elif protocol in (1, 58):
        echo = dict(zip(("id", "seq"), struct.unpack_from("!HH", packet, at + 4), strict=True))
        spec = {"type": 0 if protocol == 1 else 129, **echo, **spec}
    return spec


def _unhexed(name: str, value: object) -> object:
    return bytes.fromhex(value) if name in _HEX and isinstance(value, str) else value


def _raw(fields: dict[str, Any], sent: Sent) -> bytes:
    del sent
    return bytes.fromhex(fields["hex"])


def _ip(fields: dict[str, Any], sent: Sent) -> bytes:
    del sent
    return wire.ip(payload=bytes.fromhex(fields.pop("payload_hex")), **fields)


def _sctp(fields: dict[str, Any], sent: Sent) -> bytes:
    del sent
    bodies = (
        struct.pack("!IIHHI", body["tag"], 65535, 10, 10, 1)
        if isinstance(body, dict)
        else bytes.fromhex(body)
        for _, _, body in fields["chunks"]
    )
    fields["chunks"] = [
        (name, flags, body) for (name, flags, _), body in zip(fields["chunks"], bodies, strict=True)
    ]
    return wire.sctp(**fields)


def _icmp_error(fields: dict[str, Any], sent: Sent) -> bytes:
    """An error that quotes a packet; it goes to that packet's sender, from where the packet was going."""
    quote = fields.pop("quote")
    quoted = sent(quote) if isinstance(quote, int) else build(quote, sent)
    src, dst = _addresses(quoted)
    cut, trim, mtu = fields.pop("cut", None), fields.pop("trim", None), fields.pop("mtu", 0)
    quoted = quoted[: cut or None][: trim or None]
    from_, to = fields.pop("src", None) or dst, fields.pop("dst", None) or src
    if ":" in src:
        # The second word is the MTU of type 2 and the pointer of type 4; a packet of 1280 bytes has room for so much.
        return wire.icmp6(
            from_, to, rest=struct.pack("!I", mtu), data=quoted[: None if trim else 1232], **fields
        )
    return wire.icmp(from_, to, rest=struct.pack("!HH", 0, mtu), data=quoted, **fields)


def _fragment(fields: dict[str, Any], sent: Sent) -> bytes:
    """Bytes ``a`` to ``b`` of the payload of the packet ``of``, as a fragment."""
    whole = build(fields["of"], sent)
    src, dst = _addresses(whole)
    begin, end, ident = fields["a"], fields["b"], fields.get("ident", 77)
    payload = whole[wire.ip_header_length(whole) :]
    more = end < len(payload)
    if whole[0] >> 4 == 6:
        body = struct.pack("!HI", begin & 0xFFF8 | more, ident)
        return wire.ip(src, dst, whole[6], payload[begin:end], ttl=whole[7], ext=[["frag", body]])
    frag = (0x2000 if more else 0) | begin // 8
    return wire.ip(src, dst, whole[9], payload[begin:end], ttl=whole[8], ident=ident, frag=frag)


def _addresses(packet: bytes) -> tuple[str, str]:
    begin, length = (8, 16) if packet[0] >> 4 == 6 else (12, 4)
    src, dst = packet[begin : begin + length], packet[begin + length : begin + 2 * length]
    return str(ip_address(src)), str(ip_address(dst))


def _transport(packet: bytes) -> tuple[int, int]:
    """Protocol number and where its header begins, IPv6 extension headers skipped."""
    if packet[0] >> 4 == 4:
        return packet[9], wire.ip_header_length(packet)
    protocol, at = packet[6], 40
    while protocol in (0, 43, 44, 60):
        length = 8 if protocol == 44 else 8 + packet[at + 1] * 8
        protocol, at = packet[at], at + length
    return protocol, at
