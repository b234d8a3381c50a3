"""The differential machine: one stream into the kernel and into kdp, and a small case of what differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from kdp.conformance.packet_diff import conntrack_differences
from kdp.conformance.packet_spec import answer_to, build
from kdp.host import Host

from tests.kernel.pair import Pair, Sent

if TYPE_CHECKING:
    from tests.kernel.judge import MakeJudge
    from tests.kernel.streams import Step

T = TypeVar("T")

_BETWEEN_PACKETS = 20_000  # ns: about what the kernel's side takes


@dataclass(frozen=True)
class Finding:
    """How a run went: packets compared, and where and how the two first differed, if they did."""

    packets: int
    at: int | None = None
    differences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trial:
    """A topology (as a packet case states it) and rules, for any number of runs."""

    topology: Mapping[str, Any]
    rules: Sequence[tuple[str, str]]
    named: frozenset[int]
    make_judge: MakeJudge
    alter: Callable[[str], str] = str
    """What is done to the rules before kdp gets them: nothing, but where a difference is planted."""

    def run(self, steps: Sequence[Step], seed: int = 1) -> Finding:
        """Send a stream into both; it ends with the first packet, or the table at the end, that differs."""
        judge, host = self.make_judge(self.topology), Host(self.topology, seed=seed)
        try:
            for tool, text in self.rules:
                judge.load_rules(text, tool=tool)
                host.load_rules(self.alter(text), tool=tool)
            return _run(Pair(judge, host, self.named, by_ends=True), host, steps)
        finally:
            judge.close()

    @property
    def _draws_many(self) -> bool:
        """Whether every masqueraded connection draws a port; then two of them draw the same now and then."""
        return any("--random-fully" in text for _, text in self.rules)

    def shrunk(self, steps: Sequence[Step], tries: int = 80) -> list[Step]:
        """Leave out steps, many and then few, as long as the two still differ."""

        def differs(candidate: list[Step]) -> list[Step] | None:
            closed = _closed(candidate)
            at = self.run(closed).at if closed else None
            return None if at is None else closed[: at + 1]

        return _shrink(list(steps), differs, tries)

    def with_fewer_rules(self, steps: Sequence[Step], tries: int = 80) -> Trial:
        """Leave out rules, many and then few, as long as the two still differ."""

        def differs(candidate: list[tuple[str, str]]) -> list[tuple[str, str]] | None:
            return candidate if self._with_lines(candidate).run(steps).at is not None else None

        lines = [(tool, line) for tool, text in self.rules for line in text.splitlines()]
        return self._with_lines(
            _shrink(lines, differs, tries, keep=lambda line: not line[1].startswith("-A"))
        )

    def _with_lines(self, lines: Sequence[tuple[str, str]]) -> Trial:
        texts: dict[str, str] = {}
        for tool, line in lines:
            texts[tool] = f"{texts.get(tool, '')}{line}\n"
        return replace(self, rules=list(texts.items()))

    def as_case(self, name: str, steps: Sequence[Step]) -> dict[str, Any]:
        """A packet case: the references are numbers of steps again."""
        place = {step["id"]: number for number, step in enumerate(steps)}
        written = []
        for step in steps:
            one = {key: value for key, value in step.items() if key != "id"}
            if "reply_to" in one:
                one["reply_to"] = place[one["reply_to"]]
            if "quote" in one["pkt"]:
                one["pkt"] = {**one["pkt"], "quote": place[one["pkt"]["quote"]]}
            written.append(one)
        scenario = {"name": name, "rules": [list(rule) for rule in self.rules], "steps": written}
        return {"topology": dict(self.topology), "scenario": scenario}


def _run(pair: Pair, host: Host, steps: Sequence[Step]) -> Finding:
    sent: dict[int, Sent] = {}
    for number, step in enumerate(steps):
        one = _carry_out(pair, step, sent)
        host.advance(_BETWEEN_PACKETS)
        if one is None:
            continue
        sent[step["id"]] = one
        if found := one.differences(pair.numbers):
            return Finding(pair.packets, number, tuple(found))
    found = conntrack_differences(pair.judge.conntrack(), pair.emulated.conntrack(), pair.numbers)
    return Finding(pair.packets, len(steps) if found else None, tuple(found))


def _carry_out(pair: Pair, step: Step, sent: Mapping[int, Sent]) -> Sent | None:
    """Send a step's packet; None if it answers or quotes what never left."""
    spec, device = step["pkt"], step.get("dev")
    origin = sent.get(step.get("reply_to", spec.get("quote", -1)))
    if "reply_to" not in step and "quote" not in spec:
        packet = build(spec, _nothing)
        return pair.send(device, packet)
    if origin is None or not origin.kernel.outs or not origin.kdp.outs:
        return None
    (out, kernel), (_, kdp) = origin.kernel.outs[0], origin.kdp.outs[0]
    if "reply_to" in step:
        if not _can_answer(kernel, spec["k"]):
            return None
        return pair.send(out, *(build(answer_to(packet, spec), _nothing) for packet in (kernel, kdp)))
    return pair.send(out, build(spec, lambda _: kernel), build(spec, lambda _: kdp))


def _can_answer(packet: bytes, kind: str) -> bool:
    """Not where the box has sent something of its own: an ICMP error, a reset."""
    return packet[9] == {"tcp": 6, "udp": 17, "icmp": 1}[kind]


def _nothing(step: int) -> bytes:
    raise AssertionError(f"nothing here quotes step {step}")


def _shrink(
    things: list[T],
    differs: Callable[[list[T]], list[T] | None],
    tries: int,
    keep: Callable[[T], bool] = lambda _: False,
) -> list[T]:
    """Leave out halves, quarters and so on; ``differs`` gives what of a candidate is enough to differ."""
    size = len(things) // 2
    while size:
        start = len(things)
        while start > 0 and tries:
            start = max(0, start - size)
            rest = [thing for thing in things[start : start + size] if keep(thing)]
            if len(rest) == len(things[start : start + size]):
                continue
            tries -= 1
            enough = differs(things[:start] + rest + things[start + size :])
            if enough is not None:
                things = enough
                start = min(start, len(things))
        size //= 2
    return things


def _closed(steps: Sequence[Step]) -> list[Step]:
    """Without the steps that refer to one that is left out."""
    kept: dict[int, Step] = {}
    for step in steps:
        refers = step.get("reply_to", step["pkt"].get("quote"))
        if refers is None or refers in kept:
            kept[step["id"]] = step
    return list(kept.values())
