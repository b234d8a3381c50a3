"""What became of a packet, in the words that kdp uses for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_ICMP_ERRORS = {1: (3, 11, 12), 58: (1, 2, 3, 4)}
_ICMP, _TCP, _ICMP6 = 1, 6, 58
_RST = 0x04


@dataclass(frozen=True)
class Outcome:
    """A packet's fate.

    ``verdict``: ``forward``, ``local``, ``drop``, ``reject``, ``local+out`` or ``error:`` and the errno's text.
    ``outs``: (device, packet) for each that left. ``local``: what the box took for itself. ``ctstate``: its state in
    connection tracking, a word for each pass through PREROUTING or OUTPUT, sorted.
    """

    verdict: str
    outs: tuple[tuple[str, bytes], ...]
    local: tuple[bytes, ...]
    ctstate: tuple[str, ...]


def outcome_of(
    sent: bytes,
    device: str | None,
    outs: Sequence[tuple[str, bytes]],
    local: Sequence[bytes],
    states: Sequence[str],
) -> Outcome:
    """Name the verdict of what was seen; ``device`` None: the box itself sent the packet."""
    return Outcome(_verdict(sent, device, outs, local), tuple(outs), tuple(local), tuple(states))


def _verdict(
    sent: bytes, device: str | None, outs: Sequence[tuple[str, bytes]], local: Sequence[bytes]
) -> str:
    if local:
        by_lo = device is None and not outs and len(local) == 1 and transport(sent)[0] not in _ICMP_ERRORS
        if by_lo and transport(local[0])[0] in _ICMP_ERRORS and _answers(local[0], sent):
            return "reject"  # the error goes back to the sender over lo
        return "local+out" if outs else "local"
    if not outs:
        return "drop"
    came_back = len(outs) == 1 and outs[0][0] == device
    return "reject" if came_back and _answers(outs[0][1], sent) else "forward"


def _answers(packet: bytes, sent: bytes) -> bool:
    """Whether ``packet`` is an ICMP error or a reset, and ``sent`` neither: then the box made it as its answer."""
    protocol, body = transport(packet)
    sent_protocol, sent_body = transport(sent)
    if protocol in _ICMP_ERRORS and body[:1] and body[0] in _ICMP_ERRORS[protocol]:
        return not (
            sent_protocol == protocol and sent_body[:1] and sent_body[0] in (*_ICMP_ERRORS[protocol], 5)
        )
    if protocol == _TCP and sent_protocol == _TCP and len(body) > 13 and len(sent_body) > 13:
        return bool(body[13] & _RST) and not sent_body[13] & _RST
    return False


def transport(packet: bytes) -> tuple[int, bytes]:
    """Protocol number and transport bytes of an IPv4 or IPv6 packet, extension headers skipped."""
    if packet[0] >> 4 == 4:
        return packet[9], packet[(packet[0] & 15) * 4 :]
    protocol, at = packet[6], 40
    while protocol in (0, 43, 44, 60) and len(packet) >= at + 8:
        length = 8 if protocol == 44 else 8 + packet[at + 1] * 8
        protocol, at = packet[at], at + length
    return protocol, packet[at:]
