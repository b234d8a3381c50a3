"""Random streams of packets: lives of TCP connections with their accidents, UDP, echoes, errors, and noise.

A stream is a list of steps as a packet case has them, each with an ``id``: ``reply_to`` and ``quote`` name ids, so that
a stream from which steps are left out is still a stream.
"""

from __future__ import annotations

import random
from typing import Any

from tests.kernel.deeds import random_deed
from tests.kernel.odd_packets import SctpLife, odd_packet
from tests.kernel.world import SOURCE_PORTS, World

Step = dict[str, Any]

_ODD_FLAGS = ["", "F", "SF", "FPU", "SR", "A", "RA", "R", "S", "SA", "FA", "AU", "SEC"]
_SLIPS = [0] * 12 + [1, -1, 5, 100, -100, 1000, 60000, -60000, 70000, 1 << 20]
_WINDOWS = [0, 1, 500, 29200, 64240, 65535]


def random_stream(rng: random.Random, world: World, length: int, sleeps: int = 0) -> list[Step]:
    """About ``length`` steps; ``sleeps``: at most so many seconds are slept through."""
    stream = _Stream(rng, world, sleeps)
    while len(stream.steps) < length:
        stream.move()
    return stream.steps


class _Flow:
    """One conversation: who began it, and how far both sides are."""

    def __init__(self, first: int, base: dict[str, Any], device: str | None, client: int) -> None:
        self.first, self.base, self.device, self.client = first, base, device, client
        self.server: int | None = None
        self.stage = 0
        self.sctp = SctpLife(client) if base["k"] == "sctp" else None


class _Stream:
    def __init__(self, rng: random.Random, world: World, sleeps: int) -> None:
        self.rng, self.world, self.sleeps = rng, world, sleeps
        self.targets, self.senders = world.targets, world.place.senders
        self.steps: list[Step] = []
        self.flows: list[_Flow] = []

    def move(self) -> None:
        """One more thing happens."""
        dice = self.rng.random()
        if dice < 0.25 or not self.flows:
            self._begin()
        elif dice < 0.8:
            self._go_on(self.rng.choice(self.flows[-15:]))
        elif dice < 0.86:
            self._echo()
        elif dice < 0.92:
            self._error(self.rng.choice(self.flows[-15:]))
        elif dice < 0.985:
            self._odd()
        else:
            self._deed()

    def _go_on(self, flow: _Flow) -> None:
        if flow.base["k"] == "udp":
            self._udp(flow)
        elif flow.sctp:
            self._sctp(flow, flow.sctp)
        elif self.rng.random() < 0.8:
            self._next_of_life(flow)
        else:
            self._accident(flow)

    def _add(self, device: str | None, spec: dict[str, Any], **more: Any) -> int:
        number = len(self.steps)
        where = {"op": "pkt", "dev": device} if device else {"op": "local"}
        self.steps.append({"id": number, **where, "pkt": spec, **more})
        return number

    def _answer(self, flow: _Flow, spec: dict[str, Any]) -> None:
        self.steps.append({"id": len(self.steps), "op": "pkt", "reply_to": flow.first, "pkt": spec})

    def _begin(self) -> None:
        proto, dst, dport = self.rng.choice(self.targets)
        device, src = self.rng.choice(self.senders)
        if self.rng.random() < 0.04:
            proto = "sctp"
        base = {"k": proto, "src": src, "dst": dst, "sport": self.rng.choice(SOURCE_PORTS), "dport": dport}
        if proto == "udp":
            first = self._add(device, {**base, "data": "ab" * self.rng.randrange(4)})
            self.flows.append(_Flow(first, base, device, 0))
            return
        if proto == "sctp":
            flow = _Flow(len(self.steps), base, device, self.rng.getrandbits(32) or 1)
            self.flows.append(flow)
            assert flow.sctp, "the flow has SCTP's life"
            self._sctp(flow, flow.sctp)
            return
        start = self.rng.choice([0, 1000, 0xFFFFFF00, self.rng.getrandbits(32)])
        options: dict[str, Any] = {"opts": {"mss": 1460, "sackok": 1, "wscale": self.rng.choice([0, 7, 14])}}
        chosen = options if self.rng.random() < 0.5 else {}
        first = self._add(device, {**base, "flags": "S", "seq": start, "ack": 0, "win": 64240, **chosen})
        self.flows.append(_Flow(first, base, device, start + 1 & 0xFFFFFFFF))

    def _udp(self, flow: _Flow) -> None:
        spec = {"data": "cd" * self.rng.randrange(6)}
        if self.rng.random() < 0.05:
            spec["badsum"] = True  # type: ignore[assignment]
        if self.rng.random() < 0.5:
            self._add(flow.device, {**flow.base, **spec})
        else:
            self._answer(flow, {"k": "udp", **spec})

    def _next_of_life(self, flow: _Flow) -> None:
        """Handshake, data in both directions, and an end: the next step of a connection that nothing disturbs."""
        stage, flow.stage = flow.stage, flow.stage + 1
        if stage == 0:
            start = self.rng.getrandbits(32)
            self._from_server(flow, "SA", start)
            flow.server = start + 1 & 0xFFFFFFFF
        elif stage == 1:
            self._from_client(flow, "A")
        elif stage < 6:
            speaks = self._from_client if self.rng.random() < 0.5 else self._from_server
            speaks(flow, "PA", length=self.rng.choice([1, 10, 100]))
        elif stage in (6, 7):
            (self._from_client if stage == 6 else self._from_server)(flow, "FA")
        elif self.rng.random() < 0.5:
            self._from_client(flow, "A")
        else:
            # The same ports once more: in TIME_WAIT this is a new connection.
            flow.stage, flow.client = 0, self.rng.getrandbits(32)
            self._from_client(flow, "S")

    def _accident(self, flow: _Flow) -> None:
        """Anything: odd flags, numbers out of the window, a reset, a repeated packet, a wrong checksum."""
        flags = self.rng.choice(_ODD_FLAGS)
        slip, ack_slip = self.rng.choice(_SLIPS), self.rng.choice(_SLIPS)
        speaks = self._from_client if self.rng.random() < 0.5 else self._from_server
        speaks(flow, flags, slip=slip, ack_slip=ack_slip, length=self.rng.choice([0, 0, 1, 50]), is_odd=True)

    def _from_client(self, flow: _Flow, flags: str, seq: int | None = None, **more: Any) -> None:
        at = flow.client if seq is None else seq
        spec, flow.client = self._segment(flags, at, flow.server, **more)
        self._add(flow.device, {**flow.base, **spec})

    def _from_server(self, flow: _Flow, flags: str, seq: int | None = None, **more: Any) -> None:
        at = (flow.server or 0) if seq is None else seq
        spec, after = self._segment(flags, at, flow.client, **more)
        if flow.server is not None:
            flow.server = after
        self._answer(flow, {"k": "tcp", **spec})

    def _segment(
        self,
        flags: str,
        seq: int,
        ack: int | None,
        *,
        slip: int = 0,
        ack_slip: int = 0,
        length: int = 0,
        is_odd: bool = False,
    ) -> tuple[dict[str, Any], int]:
        """A segment, and where its sender is after it; an odd one moves nobody."""
        spec: dict[str, Any] = {
            "flags": flags,
            "seq": seq + slip & 0xFFFFFFFF,
            "ack": (ack or 0) + ack_slip & 0xFFFFFFFF if "A" in flags else 0,
            "win": self.rng.choice(_WINDOWS) if is_odd else 65000,
        }
        if length:
            spec["data"] = "ee" * length
        if is_odd and self.rng.random() < 0.05:
            spec["badsum"] = True
        consumed = length + ("S" in flags) + ("F" in flags)
        return spec, seq if is_odd else seq + consumed & 0xFFFFFFFF

    def _sctp(self, flow: _Flow, life: SctpLife) -> None:
        is_client, spec = life.next(self.rng)
        if is_client:
            self._add(flow.device, {**flow.base, **spec})
        else:
            self._answer(flow, {"k": "sctp", **spec})

    def _echo(self) -> None:
        device, src = self.rng.choice(self.senders)
        _, dst, _ = self.rng.choice(self.targets)
        kind = "icmp" if self.world.place.family == 4 else "icmp6"
        spec = {
            "k": kind,
            "src": src,
            "dst": dst,
            "id": self.rng.choice([1, 2]),
            "seq": self.rng.randrange(3),
        }
        if kind == "icmp" and self.rng.random() < 0.1:
            spec["type"] = self.rng.choice([0, 13, 14, 15, 17, 9, 19, 40])
        elif self.rng.random() < 0.1:
            spec["type"] = self.rng.choice([129, 130, 133, 139, 140, 143, 200])
        number = self._add(device, spec)
        if self.rng.random() < 0.7:
            self.steps.append({"id": len(self.steps), "op": "pkt", "reply_to": number, "pkt": {"k": kind}})

    def _error(self, flow: _Flow) -> None:
        """Whoever got the first packet of a flow, or a router on its way, says that it went no further."""
        if self.world.place.family == 4:
            kind, code = self.rng.choice([(3, 1), (3, 3), (3, 4), (11, 0), (12, 0), (4, 0), (5, 1)])
        else:
            kind, code = self.rng.choice([(1, 0), (1, 4), (2, 0), (3, 0), (4, 1), (5, 0), (100, 0)])
        spec: dict[str, Any] = {"k": "icmp_error", "type": kind, "code": code, "quote": flow.first}
        header = 20 if self.world.place.family == 4 else 40
        if self.rng.random() < 0.3:
            spec["trim"] = header + 8
        elif self.rng.random() < 0.1:
            spec["cut"] = header + self.rng.choice([0, 4, 5, 6])  # a drawn port is there, or is not
        if self.rng.random() < 0.2:
            spec["src"] = self.rng.choice(self.world.place.far)
        if self.rng.random() < 0.04:
            spec["badsum"] = True
        self.steps.append({"id": len(self.steps), "op": "pkt", "pkt": spec})

    def _odd(self) -> None:
        device, src = self.rng.choice(self.senders)
        for spec in odd_packet(self.rng, self.world.place, (device, src), self.rng.choice(self.targets)):
            self._add(device, spec)

    def _deed(self) -> None:
        """Somebody types a command, time passes, or a held packet goes on."""
        if self.world.holds and self.rng.random() < 0.8:
            self.steps.append({"id": len(self.steps), "op": "release"})
            return
        step = random_deed(self.rng, self.world, may_sleep=self.sleeps > 0)
        if step["op"] == "sleep":
            self.sleeps -= round(step["s"] + 0.5)
        self.steps.append({"id": len(self.steps), **step})
