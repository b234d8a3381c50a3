"""A capture through one box: its timestamps are the virtual time, its packets come in one after the other."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING

from kdp import _core
from kdp.packet_text import Passage, connection_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kdp.host import Host, PacketResult

__all__ = ["Replay", "Skipped"]

_ARP = 0x0806


@dataclass(frozen=True)
class Skipped:
    """A frame that was not sent: ``number`` from 1 and why."""

    number: int
    why: str


@dataclass
class Replay:
    """A capture that is being replayed. ``device``: where every packet comes in.

    Without one a packet comes in by the device that the capture names, if the box has one of that name; else by the
    way back to its source; the box itself sends what has an address of its own. Frames that the capturing machine
    sent (Linux cooked captures say so) are what came *out* there, and are left out, as is whatever is no IP packet.
    Times that go back count as the time before: virtual time never does.
    """

    host: Host
    file: bytes
    device: str | None = None
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many packets by verdict and reason."""
    skipped: list[Skipped] = field(default_factory=list)
    clamped: int = 0
    """How many frames were older than the one before."""
    leaving: list[tuple[int, str, bytes]] = field(default_factory=list)
    """What left: nanoseconds since 1970, device, bytes."""
    bytes_in: Counter[tuple[str, str]] = field(default_factory=Counter)

    def run(self, *, with_connection: bool = False) -> Iterator[Passage]:
        """Send every packet. Raises ``capture-malformed`` or ``capture-link-type-not-modelled`` before the first."""
        frames = _core.read_capture(self.file)
        began = frames[0][0] if frames else 0
        start = self.host.now
        for number, (time_ns, seen_by, cut, packet, kind, outgoing) in enumerate(frames, 1):
            self._advance(start + time_ns - began)
            if packet is None:
                self.skipped.append(
                    Skipped(number, "ARP" if kind == _ARP else f"no IP (EtherType {kind:#06x})")
                )
            elif outgoing:
                self.skipped.append(Skipped(number, "sent by the machine that captured"))
            elif cut:
                self.skipped.append(Skipped(number, "cut by the capture's snaplen"))
            else:
                yield self._pass(number, packet, seen_by, time_ns, with_connection=with_connection)

    def capture_out(self, *, pcapng: bool) -> bytes:
        """What left, as a capture."""
        return _core.write_capture(self.leaving, pcapng)

    def _advance(self, to: int) -> None:
        self.clamped += to < self.host.now
        self.host.advance(max(0, to - self.host.now))

    def _pass(
        self, number: int, packet: bytes, seen_by: str | None, time_ns: int, *, with_connection: bool
    ) -> Passage:
        device = self.device or (seen_by if seen_by in self.host.devices else self._way_in(packet))
        result = self.host.receive(device, packet) if device else self.host.send_local(packet)
        key = (result.verdict, result.reason or "")
        self.verdicts[key] += 1
        self.bytes_in[key] += len(packet)
        self.leaving += [(time_ns, out_by, out) for out_by, out in result.outs]
        connection = self._connection(packet, result) if with_connection else None
        return Passage(number, device or None, packet, result, connection, self.host.now)

    def _connection(self, packet: bytes, result: PacketResult) -> str | None:
        return connection_of(self.host, packet, result)

    def _way_in(self, packet: bytes) -> str:
        """The device back to the source; where there is none, the first behind ``lo``: the box says what it does."""
        begin, length = (8, 16) if packet[:1] >= b"\x60" else (12, 4)
        src = packet[begin : begin + length]
        device = self.host.way_in(str(ip_address(src))) if len(src) == length else None
        return self.host.devices[-1 if len(self.host.devices) == 1 else 1] if device is None else device
