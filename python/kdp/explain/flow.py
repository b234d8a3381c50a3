"""Which rules decide about a flow, and what would be next if one of them were not there.

Each rule on the way is taken out of its node's rules in turn, and the same packet is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kdp.ansi import Paint
from kdp.rule_files import rule_line

if TYPE_CHECKING:
    from kdp.cluster import Cluster
    from kdp.trace import Trace

__all__ = ["FlowExplanation", "RuleOnTheWay", "explain_flow"]

Json = Mapping[str, Any]
DECIDING = ("dnat", "drop", "reject", "redirect")


@dataclass(frozen=True)
class RuleOnTheWay:
    """A rule that matched, where it stands and what it did; and what happens without it.

    ``next_rule``: the rule that decides then; None where none does. ``without``: what becomes of the flow then.
    """

    node: str
    table: str
    chain: str
    number: int
    rule: str
    outcome: str
    without: str = ""
    next_rule: str | None = None

    @property
    def place(self) -> str:
        """Node, table, chain and number."""
        return f"{self.table} {self.chain} rule {self.number} of node {self.node}"


@dataclass(frozen=True)
class FlowExplanation:
    """A trace, and the rules that led to what became of it; the last one decided. Empty where no rule did."""

    trace: Trace
    rules: Sequence[RuleOnTheWay]

    def to_json(self) -> dict[str, Any]:
        """As docs/json-output.md describes it."""
        from dataclasses import asdict

        from kdp.json_output import document

        data = self.trace.data
        head = {key: data[key] for key in ("from", "to", "protocol", "verdict", "reason", "endpoint")}
        return document("FlowExplanation", {**head, "rules": [asdict(rule) for rule in self.rules]})

    def text(self, *, color: bool = False) -> str:
        """Tell it."""
        return "\n".join(_text(self, Paint(on=color))) + "\n"


def explain_flow(make: Callable[[], Cluster], asked: Mapping[str, Any]) -> FlowExplanation:
    """Explain one connection. ``make`` loads the cluster afresh: connections of one try must not be those of another.

    ``asked``: the arguments of ``Cluster.connect``. The client's port is the first try's in all of them.
    """
    trace = make().connect(**asked)
    rules = list(_rules_of(trace))
    if trace.request is None:
        return FlowExplanation(trace, ())
    host = f"[{trace.request.dst}]" if ":" in trace.request.dst else trace.request.dst
    again = {**asked, "to": f"{host}:{trace.request.dport}", "sport": trace.request.sport}
    return FlowExplanation(trace, [_without(make(), rule, again) for rule in rules])


def _rules_of(trace: Trace) -> Iterator[RuleOnTheWay]:
    """The rules that matched, up to the first that decides; none if none does."""
    seen = []
    for step in trace.steps:
        if step.number not in (4, 5):
            continue
        for event in step.events:
            if event["kind"] != "rule":
                continue
            keys = ("node", "table", "chain", "number", "rule", "outcome")
            seen.append(RuleOnTheWay(**{key: event[key] for key in keys}))
            if event["outcome"].startswith(DECIDING):
                yield from seen
                return


def _without(cluster: Cluster, rule: RuleOnTheWay, asked: Mapping[str, Any]) -> RuleOnTheWay:
    from dataclasses import replace

    is_nft = " " in rule.table
    family = "IPv6" if str(asked["to"]).startswith("[") else "IPv4"
    tool = "nft" if is_nft else "ip6tables" if family == "IPv6" else "iptables"
    text = cluster.rules(rule.node, family=family)
    first, last = rule_line(text, tool, rule.table, rule.chain, rule.number)
    lines = text.splitlines(keepends=True)
    cluster.core.replace_rules(rule.node, tool, "".join(lines[: first - 1] + lines[last:]), "rules")
    trace = cluster.connect(**asked)
    rest = list(_rules_of(trace))
    if not rest:
        return replace(rule, without=f"{trace.verdict}, and no rule decides")
    return replace(rule, without=_told(trace), next_rule=_shown(rest[-1]))


def _shown(rule: RuleOnTheWay) -> str:
    return f"{rule.place}: {rule.rule}"


def _told(trace: Trace) -> str:
    if trace.verdict == "delivered" and trace.endpoint:
        return f"delivered to {trace.endpoint}"
    return f"{trace.verdict}: {trace.reason}" if trace.reason else trace.verdict


def _text(found: FlowExplanation, paint: Paint) -> Iterator[str]:
    data = found.trace.data
    source = data["from"]
    name = "/".join(
        filter(None, (source.get("kind"), source.get("namespace"), source.get("name")))
    ) or source.get("ip")
    yield paint("bold", f"{name} to {data['to']}: {_told(found.trace)}")
    if not found.rules:
        yield "no rule decides: none translates, drops or rejects it on the way"
        return
    for at, rule in enumerate(found.rules, 1):
        decides = "  (this one decides)" if at == len(found.rules) else ""
        yield ""
        yield f"{at}. {rule.place}: {paint('yellow', rule.outcome)}{paint('bold', decides)}"
        yield f"     {rule.rule}"
        yield f"   without it: {rule.without}"
        if rule.next_rule:
            yield f"     by {rule.next_rule}"
