"""A run of a packet case in the form of `expected`: what was drawn at random has a name in place of its value.

A drawn port or echo id is ``R1[1024-65535]``: the first that is met, and its class. An endpoint of one of its sets
is ``EP(A)``: the set, and the flow that it was chosen for; ``EP(A)!`` is another than the flow got first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from kdp.casefiles.recorded import recorded_fields

__all__ = ["normal_differences", "normal_run"]

Json = Mapping[str, Any]
End = tuple[str, int]

BOOKKEEPING = {"SRC_NAT_DONE", "DST_NAT_DONE", "CONFIRMED"}
STATS = ("insert_failed", "drop", "clash_resolve", "invalid")
PLAIN = ("count", "ok", "counters", "rule_counters", "elements")
TIMEOUT_TOLERANCE = 2  # seconds: a recorded run takes its time
WIDEST = "1024-65535"


def normal_run(scenario: Json, run: Json) -> dict[str, Any]:
    """The normal form of a run, as ``kdp.conformance.run_packets`` gives one and as `observed` is."""
    names = _Names(scenario)
    steps = [_step(names, step, seen) for step, seen in zip(scenario["steps"], run["steps"], strict=True)]
    normal: dict[str, Any] = {"steps": steps, "conntrack": _entries(names, run["conntrack"])}
    normal["equal"] = {
        f"{one}=={other}": names.chosen.get(one) == names.chosen.get(other)
        for one, other in scenario.get("same") or ()
    }
    if scenario.get("check_stats", True):
        stats = run.get("stats") or {}
        normal["stats"] = {name: stats[name] for name in STATS if stats.get(name)}
    return normal


class _Names:
    """Names for what is drawn, in the order in which it is met."""

    def __init__(self, scenario: Json) -> None:
        self._random = [tuple(each) for each in scenario.get("random_ports") or ()]
        self._is_random = scenario.get("rand", True)
        self._known = _named_numbers(scenario)
        self._ports: dict[int, str] = {}
        self._sets = {
            name: {(str(address), int(port)) for address, port, *_ in ends}
            for name, ends in (scenario.get("ep_sets") or {}).items()
        }
        self.chosen: dict[str, End] = {}
        self.flows: dict[Hashable, str] = {}

    def port(self, address: str | None, number: int, *, is_id: bool = False) -> int | str:
        """The number, or its name if it was drawn. A new id may be any number, so it is of the widest class.

        Source: net/netfilter/nf_nat_core.c, nf_nat_l4proto_unique_tuple, v6.12: classes of ports.
        """
        in_range = any(
            first <= number <= last and (not of or of[0] == address) for first, last, *of in self._random
        )
        is_drawn = in_range or (self._is_random and number not in self._known)
        if number == 0 or not is_drawn:
            return number
        kind = WIDEST if is_id else "1-511" if number < 512 else "512-1023" if number < 1024 else WIDEST
        return self._ports.setdefault(number, f"R{len(self._ports) + 1}[{kind}]")

    def endpoint(self, flow: str | None, address: str, port: int) -> str | None:
        """The name of an endpoint; None for what is in no set. The first one that a flow meets is its choice."""
        for name, ends in self._sets.items():
            if (address, port) in ends:
                if flow is None:
                    return f"{name}(?)"
                first = self.chosen.setdefault(flow, (address, port))
                return f"{name}({flow}){'' if first == (address, port) else '!'}"
        return None

    def endpoint_by_address(self, flow: str | None, address: str) -> str | None:
        """The name of the flow's endpoint where a packet has no ports."""
        bound = self.chosen.get(flow or "")
        return self.endpoint(flow, *bound) if bound and bound[0] == address else None


def _named_numbers(scenario: Json) -> set[int]:
    """Numbers that packets and rules name: no draws. Of rules that come later only ports behind an address count."""
    named = set(scenario.get("known_ports") or ()) | set(_numbers_of(scenario["steps"]))
    later = [rule for step in scenario["steps"] for rule in step.get("rules") or ()]
    for _, text in scenario["rules"]:
        named |= {int(number) for number in re.findall(r"(?<![\w.])(\d{1,5})(?![\w.])", text)}
    for _, text in [*scenario["rules"], *later]:
        named |= {int(number) for number in re.findall(r"\.\d{1,3}:(\d{1,5})", text)}
    return named


def _numbers_of(value: Any) -> Iterator[int]:  # noqa: ANN401 -- any JSON
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in ("sport", "dport", "id", "icmp_id") and isinstance(inner, int):
                yield inner
            else:
                yield from _numbers_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers_of(inner)


def _step(names: _Names, step: Json, seen: Json) -> dict[str, Any]:
    normal: dict[str, Any] = {"op": seen["op"]}
    if "verdict" in seen:
        normal |= _outcome(names, step, seen)
    if "recent" in seen:
        normal["recent"] = [{key: each[key] for key in ("src", "nstamps")} for each in seen["recent"]]
    if "rc" in seen:
        normal["rc"] = seen["rc"]
    normal |= {key: seen[key] for key in PLAIN if key in seen}
    if "conntrack" in seen:
        normal["conntrack"] = _entries(names, seen["conntrack"])
    return normal


def _outcome(names: _Names, step: Json, seen: Json) -> dict[str, Any]:
    flow = step.get("flow")
    if seen.get("hex") and flow:
        names.flows[_key(recorded_fields(bytes.fromhex(seen["hex"])))] = flow
    outs = [{**recorded_fields(bytes.fromhex(packet)), "dev": device} for device, packet in seen["outs_hex"]]
    local = [recorded_fields(bytes.fromhex(packet)) for packet in seen["local_hex"]]
    normal: dict[str, Any] = {"verdict": seen["verdict"]}
    normal["outs"] = [_packet(names, fields, flow) for fields in outs]
    normal["local"] = [_packet(names, fields, flow) for fields in local]
    if "held" in seen:
        normal["held"] = seen["held"]
    if "ctstate" in seen and not step.get("no_ctstate"):
        normal["ctstate"] = seen["ctstate"]
    return normal


def _packet(names: _Names, fields: Json, flow: str | None) -> dict[str, Any]:
    """The fields of a packet with names in them, and those of the packet that it quotes."""
    normal = dict(fields)
    _put_ends(names, normal, flow)
    if "icmp_id" in fields:
        normal["icmp_id"] = names.port(fields["src"], fields["icmp_id"], is_id=True)
    if "inner" in fields:
        normal["inner"] = _packet(names, fields["inner"], flow)
    return normal


def _put_ends(names: _Names, normal: dict[str, Any], flow: str | None) -> None:
    for side, port in (("src", "sport"), ("dst", "dport")):
        if side not in normal:
            continue
        address = normal[side]
        if port not in normal:
            normal[side] = names.endpoint_by_address(flow, address) or address
            continue
        endpoint = names.endpoint(flow, address, normal[port])
        if endpoint:
            normal |= {side: endpoint, port: "*"}
        else:
            normal[port] = names.port(address, normal[port])


def _key(of: Json) -> Hashable:
    number = of.get("sport", of.get("icmp_id"))
    return (of.get("src"), number, of.get("dst"), of.get("dport"), of.get("proto"))


def _entries(names: _Names, entries: Iterable[Json]) -> list[dict[str, Any]]:
    """Entries in an order of their own: that of their text without timeouts."""
    normal = [_entry(names, entry) for entry in entries]

    def text(entry: Json) -> str:
        return json.dumps({key: entry[key] for key in entry if key != "timeout"}, sort_keys=True)

    return sorted(normal, key=text)


def _entry(names: _Names, entry: Json) -> dict[str, Any]:
    flow = names.flows.get(_key(entry["orig"]))
    normal: dict[str, Any] = {"proto": entry["orig"]["proto"]}
    for side in ("orig", "reply"):
        ends = {key: value for key, value in entry[side].items() if key != "proto"}
        if "sport" in ends:
            _put_ends(names, ends, flow)
        if ends.get("icmp_id"):
            ends["icmp_id"] = names.port(None, ends["icmp_id"], is_id=True)
        normal[side] = ends
    normal["status"] = sorted(flag for flag in entry["flags"] if flag not in BOOKKEEPING)
    for tracker in ("tcp", "sctp"):
        if tracker in entry:
            normal["state"] = entry[tracker]["state"]
    normal |= {key: entry[key] for key in ("mark", "zone") if entry.get(key)}
    normal |= {key: entry[key] for key in ("acct_orig", "acct_reply") if key in entry}
    return normal | {"timeout": entry.get("timeout")}


def normal_differences(want: Any, have: Any, place: str = "") -> Iterator[str]:  # noqa: ANN401 -- any JSON
    """What differs between two normal forms, each with its place; timeouts may be apart by 2 s."""
    if isinstance(want, Mapping) and isinstance(have, Mapping):
        for key in sorted({*want, *have}):
            inner = f"{place}.{key}" if place else key
            if key not in want or key not in have:
                yield f"{inner}: {'only there' if key in want else 'only here'}: {want.get(key, have.get(key))}"
            elif key == "timeout" and isinstance(want[key], int) and isinstance(have[key], int):
                if abs(want[key] - have[key]) > TIMEOUT_TOLERANCE:
                    yield f"{inner}: {want[key]} there, {have[key]} here"
            else:
                yield from normal_differences(want[key], have[key], inner)
    elif isinstance(want, list) and isinstance(have, list):
        yield from _list_differences(want, have, place)
    elif want != have:
        yield f"{place}: {want!r} there, {have!r} here"


def _list_differences(want: Sequence[Any], have: Sequence[Any], place: str) -> Iterator[str]:
    if len(want) != len(have):
        yield f"{place}: {len(want)} there, {len(have)} here"
    for number, (one, other) in enumerate(zip(want, have, strict=False)):
        yield from normal_differences(one, other, f"{place}[{number}]")
