"""The differential machine: one stream into the kernel and into kdp, and a small case of what differs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from kdp.conformance.packet_diff import conntrack_differences
from kdp.errors import KdpError
from kdp.host import Host

from tests.kernel.chance import drawn_by_chance
from tests.kernel.counting import counter_differences
from tests.kernel.netns import CommandError
from tests.kernel.pair import Pair
from tests.kernel.stepping import Stepping

if TYPE_CHECKING:
    from tests.kernel.entry import Entry
    from tests.kernel.judge import MakeJudge
    from tests.kernel.streams import Step

T = TypeVar("T")


@dataclass(frozen=True)
class Finding:
    """How a run went: packets compared, and where and how the two first differed, if they did.

    ``by_chance``: a port that one side drew is one that rules or packets name; then it may mean something there.
    ``listings``: the kernel's rules with their counters, by tool. ``entries``: its table at the end.
    """

    packets: int
    at: int | None = None
    differences: tuple[str, ...] = ()
    by_chance: tuple[str, ...] = ()
    listings: Mapping[str, str] = field(default_factory=dict)
    entries: Sequence[Entry] = ()
    states: Mapping[str, int] = field(default_factory=dict)
    observed: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Trial:
    """A topology (as a packet case states it) and rules, for any number of runs."""

    topology: Mapping[str, Any]
    rules: Sequence[tuple[str, str]]
    named: frozenset[int]
    make_judge: MakeJudge
    alter: Callable[[str], str] = str
    """What is done to the rules before kdp gets them: nothing, but where a difference is planted."""
    holds: bool = False

    def run(self, steps: Sequence[Step], seed: int = 1) -> Finding:
        """Send a stream into both; it ends with the first packet, or the table at the end, that differs."""
        judge, host = self.make_judge(self.topology), Host(self.topology, seed=seed)
        try:
            if self.holds:
                judge.hold()
                host.hold()
            for tool, text in self.rules:
                judge.load_rules(text, tool=tool)
                host.load_rules(self.alter(text), tool=tool)
            return self._run(Pair(judge, host, self.named, by_ends=True), host, steps)
        finally:
            judge.close()

    def _run(self, pair: Pair, host: Host, steps: Sequence[Step]) -> Finding:
        stepping = Stepping(pair, host)
        for number, step in enumerate(steps):
            if found := stepping.step(step):
                return self._found(pair, number, found, stepping)
        entries = pair.judge.conntrack()
        found = conntrack_differences(entries, host.conntrack(), pair.numbers)
        tools = [tool for tool, _ in self.rules]
        listings = {tool: pair.judge.listing(tool) for tool in tools}
        if not found and self.alter is str:
            found = counter_differences(listings, host)
        if found:
            return self._found(pair, len(steps), found, stepping)
        return Finding(pair.packets, None, (), (), listings, entries, stepping.states, stepping.observed)

    def _found(self, pair: Pair, at: int, found: list[str], stepping: Stepping) -> Finding:
        tables = {"there": pair.judge.conntrack(), "here": pair.emulated.conntrack()}
        chance = tuple(drawn_by_chance(tables, self.named))
        return Finding(
            pair.packets,
            at,
            tuple(found),
            chance,
            entries=tables["there"],
            states=stepping.states,
            observed=stepping.observed,
        )

    def differs(self, steps: Sequence[Step]) -> int | None:
        """The first step that differs, and not by the dice; a candidate that does not load differs in nothing."""
        try:
            found = self.run(steps)
        except (CommandError, KdpError):
            return None
        return None if found.by_chance else found.at

    def shrunk(self, steps: Sequence[Step], tries: int = 80) -> list[Step]:
        """Leave out steps, many and then few, as long as the two still differ."""

        def enough(candidate: list[Step]) -> list[Step] | None:
            closed = _closed(candidate)
            at = self.differs(closed) if closed else None
            return None if at is None else closed[: at + 1]

        return _shrink(list(steps), enough, tries)

    def with_fewer_rules(self, steps: Sequence[Step], tries: int = 80) -> Trial:
        """Leave out rules, many and then few, as long as the two still differ."""

        def enough(candidate: list[tuple[str, str]]) -> list[tuple[str, str]] | None:
            return candidate if self._with_lines(candidate).differs(steps) is not None else None

        lines = [(tool, line) for tool, text in self.rules for line in text.splitlines()]
        rules = ("-A", "  ")  # of iptables, and of nft
        return self._with_lines(
            _shrink(lines, enough, tries, keep=lambda line: not line[1].startswith(rules))
        )

    def with_less_topology(self, steps: Sequence[Step]) -> Trial:
        """Leave out sysctls, routes and addresses on ``lo``, as long as the two still differ."""
        smaller = self
        for part in ("sysctl", "lo_addrs", "routes"):
            candidate = replace(smaller, topology={**smaller.topology, part: type(smaller.topology[part])()})
            if candidate.differs(steps) is not None:
                smaller = candidate
        return smaller

    def _with_lines(self, lines: Sequence[tuple[str, str]]) -> Trial:
        texts: dict[str, str] = {}
        for tool, line in lines:
            texts[tool] = f"{texts.get(tool, '')}{line}\n"
        return replace(self, rules=list(texts.items()))

    def as_case(self, name: str, steps: Sequence[Step]) -> dict[str, Any]:
        """A packet case with what the kernel did: the references are numbers of steps again."""
        found = self.run(steps)
        place = {step["id"]: number for number, step in enumerate(steps)}
        held = iter(range(len(steps)))
        written = []
        for step, seen in zip(steps, found.observed, strict=False):
            one = {key: value for key, value in step.items() if key != "id"}
            if seen.get("dev", "") is None and "reply_to" in one:
                one = {"op": "local", "pkt": {"k": "raw", "hex": seen["hex"]}}  # the box answers
            if "reply_to" in one:
                one["reply_to"] = place[one["reply_to"]]
            if "quote" in one.get("pkt", ()):
                one["pkt"] = {**one["pkt"], "quote": place[one["pkt"]["quote"]]}
            if seen.get("verdict") == "queued":
                one["op"] = "hold"
            elif one["op"] == "release":
                one["n"] = next(held)
            written.append(one)
        scenario = {
            "name": name,
            "rules": [list(rule) for rule in self.rules],
            "steps": written,
            "nfqueue": self.holds,
            "differences": list(found.differences),
        }
        observed = {"steps": list(found.observed), "conntrack": list(found.entries), "stats": {}}
        kernel = os.uname().release
        return {"kernel": kernel, "topology": dict(self.topology), "scenario": scenario, "observed": observed}


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
        refers = step.get("reply_to", step.get("pkt", {}).get("quote"))
        if refers is None or refers in kept:
            kept[step["id"]] = step
    return list(kept.values())
