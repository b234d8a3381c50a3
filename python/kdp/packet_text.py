"""One packet through one box, told: what came in, what became of it, each hook and rule, its connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kdp.dissect import dissect, packet_line
from kdp.trace_text import event_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kdp.ansi import Paint
    from kdp.host import Host, PacketResult
    from kdp.rule_files import RuleLines

__all__ = ["Passage", "connection_of", "passage_json", "passage_text"]

COLORS = {"forward": "green", "local": "green", "local+out": "green"}
INDENT = "     "


@dataclass(frozen=True)
class Passage:
    """A packet that went in, and what became of it.

    ``device``: by which it came in; None if the box itself sent it. ``connection``: its entry, in the conntrack tool's
    own text, right after.
    """

    number: int
    device: str | None
    packet: bytes
    result: PacketResult
    connection: str | None
    time_ns: int


def connection_of(host: Host, packet: bytes, result: PacketResult) -> str | None:
    """The entry that a packet belongs to, as the conntrack tool prints it; None if there is none."""
    seen = [packet, *(out for _, out in result.outs), *result.local]
    tuples = {_tuple(dissect(each)) for each in seen}
    entries, lines = host.conntrack(), host.conntrack_tool("-L")["text"].splitlines()
    for entry in entries:
        if any(_tuple(entry[side]) in tuples for side in ("orig", "reply")):
            wanted = _words(entry["orig"])
            return next((line for line in lines if wanted in f"{line} "), None)
    return None


def _tuple(of: Mapping[str, Any]) -> tuple[object, ...]:
    proto = {"icmpv6": "icmp6"}.get(str(of.get("proto")), of.get("proto"))
    number = of.get("icmp_id", of.get("id", 0))
    return (proto, of.get("src"), of.get("dst"), of.get("sport", number), of.get("dport", 0))


def _words(orig: Mapping[str, Any]) -> str:
    ends = f"src={orig['src']} dst={orig['dst']} "
    if "sport" in orig:
        return f"{ends}sport={orig['sport']} dport={orig['dport']} "
    return (
        ends
        if "icmp_id" not in orig
        else f"{ends}type={orig['type']} code={orig['code']} id={orig['icmp_id']} "
    )


def passage_text(passage: Passage, lines: RuleLines, paint: Paint, *, wide: bool = False) -> Iterator[str]:
    """Tell it. ``wide`` adds the bytes, and the policies that accepted."""
    come = f"in by {passage.device}" if passage.device else "sent by the box itself"
    yield f"{paint('bold', f'{passage.number}. {packet_line(passage.packet)}')}  {paint('dim', come)}"
    result = passage.result
    word = paint(COLORS.get(result.verdict, "red"), result.verdict)
    reason = (result.reason or "").removeprefix(f"{result.verdict}, ")  # "unknown, because …" says it itself
    yield f"{INDENT}{word}{f': {reason}' if reason else ''}"
    yield from _arrivals(result, paint, wide=wide)
    if wide:
        yield f"{INDENT}bytes in: {passage.packet.hex()}"
    is_v6 = passage.packet[:1] >= b"\x60"
    for event in result.steps:
        accepts = event["kind"] == "policy" and event["policy"] == "accept"
        if accepts and not wide:
            continue  # every empty chain would have such a line
        told = list(event_lines(event, paint))
        if event["kind"] == "rule":
            place = lines.place(
                is_v6=is_v6, table=event["table"], chain=event["chain"], number=event["number"]
            )
            told[0] += paint("dim", f"  ({place})") if place else ""
        inner = INDENT if event["kind"] == "hook" else f"{INDENT}  "
        yield from (f"{inner}{line}" for line in told)
    yield f"{INDENT}entry: {passage.connection or 'none'}"


def _arrivals(result: PacketResult, paint: Paint, *, wide: bool) -> Iterator[str]:
    arrived = [(f"leaves by {device}", packet) for device, packet in result.outs]
    arrived += [("the box gets", packet) for packet in result.local]
    for what, packet in arrived:
        yield f"{INDENT}{what}: {paint('cyan', packet_line(packet))}"
        if wide:
            yield f"{INDENT}bytes: {packet.hex()}"


def passage_json(passage: Passage, lines: RuleLines) -> dict[str, Any]:
    """Tell it as data (docs/json-output.md)."""
    result = passage.result
    return {
        "packet": passage.number,
        "time_ns": passage.time_ns,
        "device": passage.device,
        "in": _packet_json(passage.packet),
        "verdict": result.verdict,
        "reason": result.reason,
        "outs": [{"device": device, **_packet_json(packet)} for device, packet in result.outs],
        "local": [_packet_json(packet) for packet in result.local],
        "ctstate": list(result.ctstate),
        "connection": passage.connection,
        "rules_walked": result.rules_walked,
        "steps": _placed(result.steps, lines, is_v6=passage.packet[:1] >= b"\x60"),
    }


def _packet_json(packet: bytes) -> dict[str, Any]:
    return {"text": packet_line(packet), "fields": dissect(packet), "hex": packet.hex()}


def _placed(steps: Sequence[Mapping[str, Any]], lines: RuleLines, *, is_v6: bool) -> list[dict[str, Any]]:
    placed = []
    for step in steps:
        found = {key: value for key, value in step.items() if key != "node"}
        if found["kind"] == "rule":
            where = {key: found[key] for key in ("table", "chain", "number")}
            found["line"] = lines.place(is_v6=is_v6, **where)
        placed.append(found)
    return placed
