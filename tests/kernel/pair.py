"""The kernel and kdp side by side: the same packets into both, and what differs.

Each draws its own random ports. So an answer is made twice, from what each sent out, and a drawn port of the one must
stand for one of the other throughout (``kdp.conformance.packet_diff``). Endpoints are no such numbers: where a rule
chooses among several at random, ``starting_alike`` seeks a seed with which kdp's first choice is the kernel's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from kdp.conformance.packet_diff import Numbers, conntrack_differences, step_differences
from kdp.conformance.packet_spec import answer_to, build

if TYPE_CHECKING:
    from tests.kernel.entry import Entry
    from tests.kernel.judge import Judge


class Result(Protocol):
    """What both say of a packet."""

    @property
    def verdict(self) -> str:
        """One word for what became of it."""

    @property
    def outs(self) -> Sequence[tuple[str, bytes]]:
        """(device, packet) for each that left."""

    @property
    def local(self) -> Sequence[bytes]:
        """What the box took for itself."""

    @property
    def ctstate(self) -> Sequence[str]:
        """Its states in connection tracking."""


class Emulated(Protocol):
    """kdp's side: a ``kdp.Host``, or a node of a cluster."""

    def receive(self, device: str, packet: bytes) -> Result:
        """A packet comes in by a device."""

    def send_local(self, packet: bytes) -> Result:
        """The box itself sends a packet."""

    def conntrack(self) -> list[Entry]:
        """The entries of its table."""


class Sent:
    """What each sent out for one packet."""

    def __init__(self, device: str | None, kernel: Result, kdp: Result, packet: bytes = b"") -> None:
        self.device, self.kernel, self.kdp, self.packet = device, kernel, kdp, packet

    @property
    def observed(self) -> dict[str, Any]:
        """What the kernel did, as a packet case records it."""
        return {"hex": self.packet.hex(), **_form(self.device, self.kernel)}

    @property
    def verdict(self) -> str:
        """The kernel's verdict."""
        return self.kernel.verdict

    def differences(self, numbers: Numbers, *, with_states: bool = True) -> list[str]:
        """What differs between the two; ``with_states`` False: but for the states in connection tracking."""
        forms = [_form(self.device, result) for result in (self.kernel, self.kdp)]
        if not with_states:
            forms = [{key: value for key, value in form.items() if key != "ctstate"} for form in forms]
        return step_differences(forms[0], forms[1], numbers)


class Pair:
    """A box that exists twice."""

    def __init__(
        self, judge: Judge, emulated: Emulated, named: Iterable[int] = (), *, by_ends: bool = False
    ) -> None:
        self.judge, self.emulated, self.numbers = judge, emulated, Numbers(named, by_ends=by_ends)
        self.packets = 0

    def send(self, device: str | None, packet: bytes, answer: bytes | None = None) -> Sent:
        """Send a packet into both by a device, or (None) from the box itself; ``answer``: kdp's, where it differs."""
        self.packets += 1
        if device is None:
            return Sent(
                None, self.judge.send_local(packet), self.emulated.send_local(answer or packet), packet
            )
        return Sent(
            device,
            self.judge.receive(device, packet),
            self.emulated.receive(device, answer or packet),
            packet,
        )

    def reply(self, to: Sent, **spec: Any) -> Sent:
        """Answer what each sent out for ``to``, by the device that it left by."""
        (device, kernel), (_, kdp) = to.kernel.outs[0], to.kdp.outs[0]
        return self.send(device, _answer(kernel, spec), _answer(kdp, spec))

    def check(self, sent: Sent) -> Sent:
        """The two did the same, to the byte; if not, fail with what differs."""
        found = sent.differences(self.numbers)
        assert not found, "the kernel (there) and kdp (here) differ:\n  " + "\n  ".join(found)
        return sent

    def check_tables(self) -> None:
        """The two remember the same connections."""
        found = conntrack_differences(self.judge.conntrack(), self.emulated.conntrack(), self.numbers)
        assert not found, "the kernel's table (there) and kdp's (here) differ:\n  " + "\n  ".join(found)


def starting_alike(
    judge: Judge, emulate: Callable[[int], Emulated], device: str, packet: bytes, named: Iterable[int]
) -> tuple[Pair, Sent]:
    """A pair in which kdp's choice for the first packet is the one that the kernel made."""
    named = list(named)
    kernel = judge.receive(device, packet)
    for seed in range(1, 200):
        pair = Pair(judge, emulate(seed), named)
        sent = Sent(device, kernel, pair.emulated.receive(device, packet))
        if not sent.differences(Numbers(named)):
            return pair, pair.check(sent)
    raise AssertionError(f"no seed makes kdp do what the kernel did: {kernel}")


def _answer(packet: bytes, spec: Mapping[str, Any]) -> bytes:
    def nothing(step: int) -> bytes:
        raise AssertionError(f"an answer does not quote step {step}")

    return build(answer_to(packet, spec), nothing)


def _form(device: str | None, result: Result) -> dict[str, Any]:
    return {
        "dev": device,
        "verdict": result.verdict,
        "ctstate": sorted(result.ctstate),
        "outs_hex": [[out, packet.hex()] for out, packet in result.outs],
        "local_hex": [packet.hex() for packet in result.local],
    }
