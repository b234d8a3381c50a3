"""One connection as data: who was asked, which rules decided, how the addresses changed.

The core writes it as JSON (docs/json-output.md); these classes read it, and ``str(trace)`` tells it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from kdp.trace_text import exploration_text, trace_text

__all__ = ["Endpoint", "Exploration", "Outcome", "Step", "Trace", "Tuple"]

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tuple:
    """Addresses and ports of one packet."""

    src: str
    sport: int
    dst: str
    dport: int

    def __str__(self) -> str:
        return f"{_with_port(self.src, self.sport)} -> {_with_port(self.dst, self.dport)}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Who got the packet: a Pod; without ``namespace`` a node itself; without ``name`` whoever has the address."""

    namespace: str | None
    name: str | None
    ip: str
    port: int
    node: str | None

    def __str__(self) -> str:
        address = _with_port(self.ip, self.port)
        name = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{name} ({address})" if name else address


@dataclass(frozen=True, slots=True)
class Step:
    """One of the seven steps from a name to an answer."""

    number: int
    title: str
    node: str | None
    before: Tuple | None
    after: Tuple | None
    events: list[dict[str, Any]] = field(default_factory=list)


class Trace:
    """A connection: its verdict, the packet as each side saw it, and each step in between."""

    def __init__(self, data: Json) -> None:
        self._data = data

    def __repr__(self) -> str:
        return f"<kdp.Trace: {self.verdict}, {self.data['to']}>"

    def __str__(self) -> str:
        return trace_text(self.data)

    def text(self, *, width: int = 100, color: bool = False, wide: bool = False) -> str:
        """Tell the trace in lines of at most ``width`` columns.

        ``wide`` leaves long rules on one line, and shows the policies that accepted too.
        """
        return trace_text(self.data, width=width, color=color, wide=wide)

    @property
    def data(self) -> Json:
        """The trace as docs/json-output.md describes it."""
        return self._data

    @property
    def verdict(self) -> str:
        """``delivered``, ``rejected``, ``dropped``, ``no-route`` or ``name-not-found``."""
        return str(self._data["verdict"])

    @property
    def reason(self) -> str | None:
        """Why it was not delivered; ``None`` if it was."""
        reason: str | None = self._data.get("reason")
        return reason

    @cached_property
    def endpoint(self) -> Endpoint | None:
        """Who got the packet; ``None`` if nobody did."""
        return _endpoint(self._data.get("endpoint"))

    @property
    def request(self) -> Tuple | None:
        """The request as the client sent it; ``None`` if there was no address to send to."""
        return _tuple(self._data.get("request"))

    @property
    def delivered(self) -> Tuple | None:
        """The request as the endpoint saw it."""
        return _tuple(self._data.get("delivered"))

    @property
    def answer(self) -> Tuple | None:
        """The answer as the endpoint sent it."""
        return _tuple(self._data.get("answer"))

    @property
    def reply(self) -> Tuple | None:
        """The answer as the client got it: for a Service, from the address that it had sent to."""
        return _tuple(self._data.get("reply"))

    @cached_property
    def steps(self) -> list[Step]:
        """What happened, in order."""
        return [
            Step(
                number=int(step["step"]),
                title=step["title"],
                node=step.get("node"),
                before=_tuple(step.get("before")),
                after=_tuple(step.get("after")),
                events=list(step.get("events") or []),
            )
            for step in self._data.get("steps") or []
        ]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thing that can become of a connection, and how likely it is, exactly."""

    verdict: str
    endpoint: Endpoint | None
    probability: Fraction
    data: Json


class Exploration:
    """Every outcome of a connection; the probabilities add up to one."""

    def __init__(self, data: Json) -> None:
        self._data = data

    def __repr__(self) -> str:
        return f"<kdp.Exploration: {len(self.outcomes)} outcomes, {self.data['to']}>"

    def __str__(self) -> str:
        return exploration_text(self.data)

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)

    def __len__(self) -> int:
        return len(self.outcomes)

    def text(self, *, color: bool = False) -> str:
        """Tell the exploration as a table."""
        return exploration_text(self.data, color=color)

    @property
    def data(self) -> Json:
        """The exploration as docs/json-output.md describes it."""
        return self._data

    @cached_property
    def outcomes(self) -> list[Outcome]:
        """The outcomes, in the order in which the rules have them.

        ``probability`` is exact: the kernel compares a random number of 31 bits, so that a third is
        ``715827883/2147483648``.
        """
        return [
            Outcome(
                each["verdict"],
                _endpoint(each.get("endpoint")),
                Fraction(each.get("exact") or each["probability"]),
                each,
            )
            for each in self._data["outcomes"]
        ]


def _tuple(data: Json | None) -> Tuple | None:
    return None if data is None else Tuple(data["src"], int(data["sport"]), data["dst"], int(data["dport"]))


def _endpoint(data: Json | None) -> Endpoint | None:
    if data is None:
        return None
    names = (data.get("namespace"), data.get("name"))
    return Endpoint(*names, ip=data["ip"], port=int(data["port"]), node=data.get("node"))


def _with_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
