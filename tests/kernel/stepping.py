"""One step of a stream, carried out on both sides: what it came to, and where the two differ."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kdp.conformance.packet_diff import conntrack_differences
from kdp.conformance.packet_spec import answer_to, build

from tests.kernel.outcome import transport
from tests.kernel.pair import Pair, Sent

if TYPE_CHECKING:
    from kdp.host import Host

    from tests.kernel.streams import Step

_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "icmp6": 58, "sctp": 132}


class Stepping:
    """A stream on its way: what each step sent, and the clock that both sides live by."""

    def __init__(self, pair: Pair, host: Host) -> None:
        self.pair, self.host = pair, host
        self.sent: dict[int, Sent] = {}
        self.states: dict[str, int] = {}
        self.observed: list[dict[str, Any]] = []
        self._released = 0
        self._clock = time.monotonic_ns()

    def step(self, step: Step) -> list[str]:
        """Carry a step out; what differs, if anything does."""
        self._let_time_pass()
        self.observed.append({"op": step["op"]})
        does = getattr(self, f"_{step['op']}")
        found: list[str] = does(step)
        return found

    def _let_time_pass(self) -> None:
        """As much virtual time as the kernel had of the real one: both forget alike."""
        now = time.monotonic_ns()
        self.host.advance(now - self._clock)
        self._clock = now

    def _pkt(self, step: Step) -> list[str]:
        one = self._send(step)
        if one is None:
            return []
        self.sent[step["id"]] = one
        self.observed[-1] |= one.observed
        for state in one.kernel.ctstate:
            self.states[state] = self.states.get(state, 0) + 1
        return one.differences(self.pair.numbers)

    _local = _pkt

    def _send(self, step: Step) -> Sent | None:
        """Send a step's packet; None if it answers or quotes what never left."""
        spec, device = step["pkt"], step.get("dev")
        if "reply_to" not in step and "quote" not in spec:
            return self.pair.send(device, build(spec, _nothing))
        origin = self.sent.get(step.get("reply_to", spec.get("quote", -1)))
        if origin is None:
            return None
        if "reply_to" in step:
            return self._answer(origin, spec)
        if not (origin.kernel.outs and origin.kdp.outs):
            return None
        (out, kernel), (_, kdp) = origin.kernel.outs[0], origin.kdp.outs[0]
        return self.pair.send(out, build(spec, lambda _: kernel), build(spec, lambda _: kdp))

    def _answer(self, origin: Sent, spec: Mapping[str, Any]) -> Sent | None:
        """Whoever got a packet answers it: a neighbour, or the box itself."""
        if origin.kernel.outs and origin.kdp.outs:
            (out, kernel), (_, kdp) = origin.kernel.outs[0], origin.kdp.outs[0]
        elif origin.kernel.local and origin.kdp.local:
            out, kernel, kdp = None, origin.kernel.local[0], origin.kdp.local[0]
        else:
            return None
        if not _can_answer(kernel, spec["k"]) or (out is None and kernel[12:16] == kernel[16:20]):
            return None
        answers = (build(answer_to(packet, spec), _nothing) for packet in (kernel, kdp))
        return self.pair.send(out, *answers)

    def _release(self, step: Step) -> list[str]:
        if not self.pair.judge.queued:
            return []
        sent = Sent("held", self.pair.judge.release(), self.host.release(self._released))
        self._released += 1
        self.sent[step["id"]] = sent
        self.observed[-1] |= sent.observed
        return sent.differences(self.pair.numbers, with_states=False)

    def _sleep(self, step: Step) -> list[str]:
        time.sleep(step["s"])
        return []

    def _sysctl(self, step: Step) -> list[str]:
        self.pair.judge.sysctl(step["key"], step["value"])
        self.host.set_sysctl(step["key"], step["value"])
        return []

    def _rules(self, step: Step) -> list[str]:
        for tool, text in step["rules"]:
            self.pair.judge.load_rules(text, tool=tool)
            self._let_time_pass()
            self.host.load_rules(text, tool=tool)
        return []

    def _cmd(self, step: Step) -> list[str]:
        words = step["cmd"]
        there, text = self.pair.judge.command(words)
        self.observed[-1]["rc"] = there
        self._let_time_pass()
        here, count = self._command(words)
        counted = re.search(r"(\d+) flow entries", text) if step.get("count") else None
        if counted:
            self.observed[-1]["count"] = int(counted[1])
        found = [] if there == here else [f"{' '.join(words)}: rc {there} there, {here} here: {text.strip()}"]
        if counted and int(counted[1]) != count:
            found.append(f"{' '.join(words)}: {counted[1]} entries there, {count} here")
        return found

    def _command(self, words: list[str]) -> tuple[int, int | None]:
        tool, *arguments = words
        if tool == "ip":
            return self.host.ip(*arguments), None
        if tool == "nft":
            return self.host.nft(" ".join(arguments)), None
        done = self.host.conntrack_tool(*arguments)
        return done["rc"], done["count"]

    def _dump(self, step: Step) -> list[str]:
        del step
        entries = self.observed[-1]["conntrack"] = self.pair.judge.conntrack()
        return conntrack_differences(entries, self.host.conntrack(), self.pair.numbers)


def _can_answer(packet: bytes, kind: str) -> bool:
    """Not where the box has sent something of its own: an ICMP error, a reset."""
    return transport(packet)[0] == _PROTOCOLS[kind]


def _nothing(step: int) -> bytes:
    raise AssertionError(f"nothing here quotes step {step}")
