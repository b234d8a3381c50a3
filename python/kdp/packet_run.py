"""Packets of the packet language through a box: answers and quotes refer to what earlier ones sent out."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from kdp.conformance.packet_spec import answer_to, build
from kdp.errors import UsageError
from kdp.packet_language import LOCAL, Line, read_line
from kdp.packet_text import Passage, connection_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kdp.host import Host, PacketResult

__all__ = ["PacketRun"]


class PacketRun:
    """A box, and what each packet so far has sent out. ``device``: where packets come in whose line names none."""

    def __init__(self, host: Host, device: str | None = None) -> None:
        self._host = host
        self._device = device
        self._results: list[PacketResult] = []

    def run(self, lines: Iterable[tuple[str, str]]) -> Iterator[Passage]:
        """Send lines, each with the words that say where it stands; what only waits gives nothing."""
        for place, text in lines:
            line = read_line(text, place)
            if line is None:
                continue
            if line.wait_ns is not None:
                self._host.advance(line.wait_ns)
            else:
                yield self._pass(line, place)

    def send(self, text: str) -> Passage:
        """Send one line, which is a packet."""
        passages = list(self.run([("packet", text)]))
        if not passages:
            raise UsageError("packet-syntax", f"packet, column 1: {text!r} is no packet")
        return passages[0]

    def _pass(self, line: Line, place: str) -> Passage:
        device, packet = self._made(line, place)
        if device is None:
            result = self._host.send_local(packet, mark=line.mark)
        else:
            result = self._host.receive(device, packet, mark=line.mark)
        self._results.append(result)
        connection = connection_of(self._host, packet, result)
        return Passage(len(self._results), device, packet, result, connection, self._host.now)

    def _made(self, line: Line, place: str) -> tuple[str | None, bytes]:
        """The device by which it comes in (None: the box sends it), and the bytes."""
        spec, device = dict(line.spec), line.device or self._device
        if line.reply_to is not None:
            came_from, answered = self._left(line.reply_to, place)
            spec, device = answer_to(answered, spec), line.device or came_from
        if line.about is not None:
            self._left(line.about, place)
        packet = build(spec, lambda number: self._left(number, place)[1])
        if device == LOCAL:
            return None, packet
        return device or self._way_in(packet, place), packet

    def _left(self, number: int, place: str) -> tuple[str, bytes]:
        """What packet ``number`` sent out first, and where it can be answered (``local``: by the box itself)."""
        if not 1 <= number <= len(self._results):
            raise UsageError("packet-syntax", f"{place}: there is no packet {number} before it")
        result = self._results[number - 1]
        if result.outs:
            return result.outs[0]
        if result.local:
            return LOCAL, result.local[0]
        why = f" ({result.reason})" if result.reason else ""
        raise UsageError("packet-syntax", f"{place}: packet {number} went nowhere{why}: nobody answers it")

    def _way_in(self, packet: bytes, place: str) -> str | None:
        begin, length = (8, 16) if packet[0] >> 4 == 6 else (12, 4)
        src = str(ip_address(packet[begin : begin + length]))
        device = self._host.way_in(src)
        if device is None:
            raise UsageError(
                "packet-syntax",
                f"{place}: no route leads back to {src}, so say where it comes in: --in DEVICE, or DEVICE: in front",
            )
        return device or None
