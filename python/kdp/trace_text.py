"""A trace in sentences and lines: verdict first, then the steps with node, hook, chain, rule and addresses."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kdp.ansi import Paint

__all__ = ["event_lines", "exploration_text", "trace_text"]

Json = Mapping[str, Any]

INDENT = " " * 5

VERDICT_COLORS = {"delivered": "green"}


def trace_text(data: Json, *, width: int = 100, color: bool = False, wide: bool = False) -> str:
    """Tell a trace."""
    paint = Paint(on=color)
    parts = [list(_headline(data, paint)), list(_packets(data, paint))]
    parts += [list(_step(step, paint, wide=wide)) for step in data.get("steps") or []]
    lines = [line for part in parts if part for line in ("", *part)][1:]
    limit = 10_000 if wide else width
    return "\n".join(folded for line in lines for folded in _fold(line, limit)).rstrip() + "\n"


def exploration_text(data: Json, *, color: bool = False) -> str:
    """Tell an exploration as a table."""
    from kdp.table import table_text

    paint = Paint(on=color)
    rows = [
        [
            each["probability"],
            f"{float(each['share']):.6f}",
            each["verdict"],
            _pod_name(each.get("endpoint")),
            _address(each.get("endpoint")),
            (each.get("endpoint") or {}).get("node") or "<none>",
        ]
        for each in data["outcomes"]
    ]
    head = paint("bold", f"{_from(data['from'])} to {data['to']}: {_count(len(rows), 'outcome')}")
    titles = ["PROBABILITY", "SHARE", "VERDICT", "ENDPOINT", "ADDRESS", "NODE"]
    return f"{head}\n\n{table_text(titles, rows)}"


def _headline(data: Json, paint: Paint) -> Iterator[str]:
    verdict = data["verdict"]
    word = paint(VERDICT_COLORS.get(verdict, "red"), verdict)
    way = f"{_from(data['from'])} to {data['to']}"
    endpoint = data.get("endpoint")
    if verdict == "delivered" and endpoint:
        on = f" on node {endpoint['node']}" if endpoint.get("namespace") and endpoint.get("node") else ""
        yield f"{word}: {way} reaches {_who(endpoint)}{on}"
    else:
        reason = data.get("reason")
        yield f"{word}: {way}" + (f": {reason}" if reason else "")
    service = data.get("service")
    if service:
        port = f" port {service['port']}" if service.get("port") else ""
        yield f"by Service {service['namespace']}/{service['name']}{port}, seed {data.get('seed', '?')}"


def _packets(data: Json, paint: Paint) -> Iterator[str]:
    said = {
        "request": "as the client sent it",
        "delivered": "as the endpoint saw it",
        "answer": "as the endpoint sent it",
        "reply": "as the client got it",
    }
    present = {name: _tuple(data[name]) for name in said if data.get(name)}
    size = max((len(text) for text in present.values()), default=0)
    for name, text in present.items():
        yield f"  {name:<9}  {text:<{size}}  {paint('dim', said[name])}"


def _step(step: Json, paint: Paint, *, wide: bool) -> Iterator[str]:
    node = f"  [{step['node']}]" if step.get("node") else ""
    title = step["title"][:1].upper() + step["title"][1:]
    yield paint("bold", f"{step['step']}. {title}") + paint("dim", node)
    before, after = step.get("before"), step.get("after")
    if before:
        yield f"{INDENT}{_tuple(before)}"
    where = step.get("node")
    for event in step.get("events") or []:
        if event["kind"] == "policy" and event["policy"].lower() == "accept" and not wide:
            continue  # every empty chain would have such a line
        if event.get("node", where) != where:
            where = event["node"]
            yield f"{INDENT}{paint('dim', f'[{where}]')}"
        for line in EVENTS.get(event["kind"], _plain)(event, paint):
            yield f"{INDENT}{line}"
    if after and after != before:
        yield f"{INDENT}{paint('cyan', '=> ' + _tuple(after))}"


def _query(event: Json, _: Paint) -> Iterator[str]:
    answers = ", ".join(str(answer) for answer in event.get("answers") or [])
    yield f"query {event['type']} {event['name']}: {event['rcode']}" + (f", {answers}" if answers else "")


def _hook(event: Json, paint: Paint) -> Iterator[str]:
    yield paint("magenta", f"hook {event['hook']}")


def _conntrack(event: Json, _: Paint) -> Iterator[str]:
    original = event.get("original")
    yield f"conntrack: {event['state']}" + (f" of {_tuple(original)}" if original else "")


def _rule(event: Json, paint: Paint) -> Iterator[str]:
    yield f"{event['table']} {event['chain']} rule {event['number']}: {paint('yellow', event['outcome'])}"
    yield f"    {event['rule']}"


def _policy(event: Json, _: Paint) -> Iterator[str]:
    yield f"{event['table']} {event['chain']} policy: {event['policy']}"


def _choice(event: Json, _: Paint) -> Iterator[str]:
    chance = f" (probability {event['probability']})" if event.get("probability") else ""
    yield f"choice: {event['text']}{chance}"


def _plain(event: Json, _: Paint) -> Iterator[str]:
    yield f"{event['kind']}: {event.get('text', '')}"


def _fault(event: Json, paint: Paint) -> Iterator[str]:
    yield paint("red", f"{event['kind']}: {event.get('text', '')}")


EVENTS: dict[str, Callable[[Json, Paint], Iterator[str]]] = {
    "query": _query,
    "hook": _hook,
    "conntrack": _conntrack,
    "rule": _rule,
    "policy": _policy,
    "choice": _choice,
    "drop": _fault,
    "reject": _fault,
}


def event_lines(event: Json, paint: Paint) -> Iterator[str]:
    """Tell one event of a walk."""
    return EVENTS.get(event["kind"], _plain)(event, paint)


def _fold(line: str, width: int) -> list[str]:
    """Break a line at blanks, with the rest indented below; colours only stand on lines that are short."""
    if len(line) <= width or "\x1b" in line:
        return [line]
    hang = " " * (len(line) - len(line.lstrip(" "))) + "    "
    return textwrap.wrap(line, width, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False)


def _from(source: Json) -> str:
    if source["kind"] == "pod":
        return f"Pod {source['namespace']}/{source['name']}"
    if source["kind"] == "node":
        return f"Node {source['name']}"
    return str(source.get("ip") or source.get("name"))


def _who(endpoint: Json) -> str:
    address = _address(endpoint)
    if not endpoint.get("name"):
        return address
    kind = "Pod" if endpoint.get("namespace") else "Node"
    return f"{kind} {_pod_name(endpoint)} at {address}"


def _pod_name(endpoint: Json | None) -> str:
    if not endpoint or not endpoint.get("name"):
        return "<none>"
    return f"{endpoint['namespace']}/{endpoint['name']}" if endpoint.get("namespace") else endpoint["name"]


def _address(endpoint: Json | None) -> str:
    return _join(endpoint["ip"], endpoint["port"]) if endpoint else "<none>"


def _tuple(data: Json) -> str:
    return f"{_join(data['src'], data['sport'])} -> {_join(data['dst'], data['dport'])}"


def _join(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
