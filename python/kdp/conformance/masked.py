"""A packet with its translatable numbers taken out, so that two runs with different draws can be compared."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from kdp.conformance.wire import internet_checksum

__all__ = ["Masked", "Number", "masked"]

_ICMP, _TCP, _UDP, _ICMP6, _SCTP = 1, 6, 17, 58, 132
_CHECKSUM_AT = {_TCP: (16, 2), _UDP: (6, 2), _SCTP: (8, 4), _ICMP: (2, 2), _ICMP6: (2, 2)}
_ERRORS = {_ICMP: (3, 4, 5, 11, 12), _ICMP6: range(128)}
_ECHOES = {_ICMP: (0, 8, *range(13, 19)), _ICMP6: (128, 129, 139, 140)}


class Number(NamedTuple):
    """A port or an echo id. ``own`` and ``other``: whose it is, and who is at the other end (ids: in any order)."""

    value: int
    is_port: bool
    own: bytes
    other: bytes
    other_port: int


@dataclass(frozen=True)
class Masked:
    """``rest``: the bytes without numbers and checksums; ``numbers``: what was taken out, in order.

    ``sums``: whether each checksum that was taken out was right.
    """

    rest: bytes
    numbers: tuple[Number, ...]
    sums: tuple[bool, ...]


def masked(packet: bytes, *, own: bool = False) -> Masked:
    """Take ports, echo ids and the checksums over them out of an IP packet.

    A packet that an ICMP error quotes is treated alike; its transport checksum may be stale and is not judged, and its
    identification goes, for the box may have sent it. ``own``: the box itself sent the packet, and numbered it as it
    liked. IPv4 options go too: one of them holds the time.
    """
    work = _Work(bytearray(packet))
    if packet[0] >> 4 == 4:
        if own:
            work.mask_ident(0)
        elif packet[0] & 15 > 5:
            work.mask_options()
    work.mask(0, quoted=False)
    return Masked(bytes(work.data), tuple(work.numbers), tuple(work.sums))


class _Work:
    def __init__(self, data: bytearray) -> None:
        self.data = data
        self.numbers: list[Number] = []
        self.sums: list[bool] = []

    def mask(self, start: int, *, quoted: bool) -> None:
        """Mask the IP packet that begins at ``start``."""
        found = self._transport(start)
        if quoted and self.data[start : start + 1] and self.data[start] >> 4 == 4:
            self.mask_ident(start)
        if found is None:
            return
        protocol, at, whole = found
        if not quoted and whole and protocol in (_TCP, _UDP, _ICMP, _ICMP6):
            self.sums.append(self._sum_is_right(start, protocol, at))
        if protocol in (_TCP, _UDP, _SCTP):
            src, dst = self._addresses(start)
            sport, dport = self._take(at, 2), self._take(at + 2, 2)
            self.numbers += [
                Number(sport, is_port=True, own=src, other=dst, other_port=dport),
                Number(dport, is_port=True, own=dst, other=src, other_port=sport),
            ]
        elif protocol in _ERRORS and self.data[at : at + 1]:
            self._mask_icmp(protocol, start, at, quoted=quoted)
        if protocol in _CHECKSUM_AT:
            offset, length = _CHECKSUM_AT[protocol]
            self._take(at + offset, length)

    def _addresses(self, start: int) -> tuple[bytes, bytes]:
        begin, length = (8, 16) if self.data[start] >> 4 == 6 else (12, 4)
        at = start + begin
        return bytes(self.data[at : at + length]), bytes(self.data[at + length : at + 2 * length])

    def mask_ident(self, start: int) -> None:
        """Mask the identification of an IPv4 header, and the header's checksum."""
        length = (self.data[start] & 15) * 4
        self.sums.append(internet_checksum(bytes(self.data[start : start + length])) == 0)
        self._take(start + 4, 2)
        self._take(start + 10, 2)

    def mask_options(self) -> None:
        """Mask the options of an IPv4 header, and the header's checksum."""
        length = (self.data[0] & 15) * 4
        self.sums.append(internet_checksum(bytes(self.data[:length])) == 0)
        self._take(20, length - 20)
        self._take(10, 2)

    def _mask_icmp(self, protocol: int, start: int, at: int, *, quoted: bool) -> None:
        if self.data[at] in _ECHOES[protocol]:
            one, other = sorted(self._addresses(start))
            self.numbers.append(
                Number(self._take(at + 4, 2), is_port=False, own=one, other=other, other_port=0)
            )
        elif self.data[at] in _ERRORS[protocol] and not quoted:
            self.mask(at + 8, quoted=True)
            if protocol == _ICMP:
                # A box numbers the errors that it makes from a counter with a random start (and IPv6 numbers none).
                self.mask_ident(start)

    def _take(self, at: int, length: int) -> int:
        """Write zeros over a field, and give what it was: 0 where the packet does not have it whole."""
        if at + length > len(self.data):
            return 0
        value = int.from_bytes(self.data[at : at + length], "big")
        self.data[at : at + length] = bytes(length)
        return value

    def _transport(self, start: int) -> tuple[int, int, bool] | None:
        """Protocol, where its header begins, whether all of it is there; None for a later fragment or no IP packet."""
        if len(self.data) < start + 20:
            return None
        if self.data[start] >> 4 == 4:
            fragment = int.from_bytes(self.data[start + 6 : start + 8], "big")
            at = start + (self.data[start] & 15) * 4
            return None if fragment & 0x1FFF else (self.data[start + 9], at, not fragment & 0x3FFF)
        return self._transport_6(start)

    def _transport_6(self, start: int) -> tuple[int, int, bool] | None:
        if len(self.data) < start + 40:
            return None
        protocol, at, whole = self.data[start + 6], start + 40, True
        while protocol in (0, 43, 44, 60) and len(self.data) >= at + 8:
            if protocol == 44:
                offset = int.from_bytes(self.data[at + 2 : at + 4], "big")
                self._take(at + 4, 4)  # a box that puts a packet together numbers its fragments anew
                if offset >> 3:
                    return None
                whole = whole and not offset & 1
            length = 8 if protocol == 44 else 8 + self.data[at + 1] * 8
            protocol, at = self.data[at], at + length
        return protocol, at, whole

    def _sum_is_right(self, start: int, protocol: int, at: int) -> bool:
        body = bytes(self.data[at:])
        if protocol == _UDP and body[6:8] == b"\0\0":
            return True  # no checksum
        if protocol == _ICMP:
            return internet_checksum(body) == 0
        begin, length = (8, 32) if self.data[start] >> 4 == 6 else (12, 8)
        addresses = bytes(self.data[start + begin : start + begin + length])
        return internet_checksum(addresses + struct.pack("!IHBB", len(body), 0, 0, protocol) + body) == 0
