"""What differs between two runs of the same packets, where each may have drawn its own random ports.

A random port or echo id of one run stands for one of the other, the same throughout; everything else must be equal,
byte for byte. A number that the input names was not drawn and stands for itself. Where many ports are drawn, two
connections to different ends may draw the same one by chance: then ``by_ends`` lets it stand for two.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from kdp.conformance.masked import Number, masked

__all__ = ["Numbers", "conntrack_differences", "run_differences", "step_differences"]

Step = Mapping[str, Any]
Entry = Mapping[str, Any]
Pair = tuple[Number, Number]
"""Two numbers at the same place of two runs."""

_BOOKKEEPING = frozenset({"CONFIRMED", "SRC_NAT_DONE", "DST_NAT_DONE"})
_NUMBERS = ("sport", "dport", "icmp_id")
_TIMEOUT_TOLERANCE = 2  # seconds: a real run takes its time


class Numbers:
    """Which number of the one run stands for which of the other."""

    def __init__(self, named: Iterable[int] = (), *, by_ends: bool = False) -> None:
        self._named = frozenset((0, *named))
        self._by_ends = by_ends
        self._there: dict[Hashable, int] = {}
        self._back: dict[Hashable, int] = {}

    def same(self, pairs: Sequence[Pair], *, learn: bool = True) -> bool:
        """Whether the two numbers of each pair may stand for each other; if all may, then they do from now on.

        ``learn`` False: only what is known already counts.
        """
        there: dict[Hashable, int] = {}
        back: dict[Hashable, int] = {}
        for one, other in pairs:
            if {one.value, other.value} & self._named:
                if one.value != other.value:
                    return False
                continue
            scope = (one.is_port, _ends(one, other) if self._by_ends else None)
            key, key_back = (scope, one.value), (scope, other.value)
            known = (there.get(key, self._there.get(key)), back.get(key_back, self._back.get(key_back)))
            if known == (None, None) and learn and _may_stand(one, other):
                there[key], back[key_back] = other.value, one.value
            elif known != (other.value, one.value):
                return False
        self._there |= there
        self._back |= back
        return True


def _may_stand(one: Number, other: Number) -> bool:
    """A drawn port stays in the class of the one that it replaces.

    Source: net/netfilter/nf_nat_core.c, nf_nat_l4proto_unique_tuple, v6.12: 1-511, 512-1023 (600 up), 1024-65535.
    """
    return not one.is_port or _class_of(one.value) == _class_of(other.value)


def _ends(one: Number, other: Number) -> Hashable:
    """Whose a number is, and who is at the other end, with the port there if it is the same in both runs."""
    return (one.own, one.other, one.other_port if one.other_port == other.other_port else None)


def run_differences(
    expected: Mapping[str, Any], got: Mapping[str, Any], named: Iterable[int] = ()
) -> list[str]:
    """What differs between two runs in the result form of a packet case; nothing if they are the same."""
    numbers = Numbers(named)
    found = []
    for number, (one, other) in enumerate(zip(expected["steps"], got["steps"], strict=True)):
        if "outs_hex" in one:
            found += [f"step {number}: {what}" for what in step_differences(one, other, numbers)]
        found += [f"step {number}: {what}" for what in _plain_differences(one, other)]
        if "conntrack" in one:
            listed = conntrack_differences(one["conntrack"], other["conntrack"], numbers)
            found += [f"step {number}: {what}" for what in listed]
    for name in ("insert_failed", "drop", "clash_resolve", "invalid"):
        one, other = (run.get("stats", {}).get(name, 0) for run in (expected, got))
        found += [f"stats: {name}: {one} there, {other} here"] if one != other else []
    return found + conntrack_differences(expected["conntrack"], got["conntrack"], numbers)


def _plain_differences(one: Step, other: Step) -> list[str]:
    """What commands and counters say, where it differs."""
    plain = ("rc", "count", "ok", "held", "rule_counters", "counters", "elements")
    differ = [key for key in plain if key in one and one[key] != other.get(key)]
    if "recent" in one:
        there, here = (
            sorted((entry["src"], entry["nstamps"]) for entry in step.get("recent", ()))
            for step in (one, other)
        )
        differ += ["recent"] if there != here else []
    return [f"{key}: {one[key]} there, {other.get(key)} here" for key in differ]


def step_differences(expected: Step, got: Step, numbers: Numbers) -> list[str]:
    """What differs between the outcomes of one packet: ``verdict``, ``ctstate``, ``outs_hex``, ``local_hex``.

    ``dev``: where it came in; None if the box itself sent it.
    """
    found = [
        f"{key}: {expected[key]} there, {got[key]} here"
        for key in ("verdict", "ctstate")
        if key in expected and expected[key] != got[key]
    ]
    there = [*expected["outs_hex"], *(["(local)", packet] for packet in expected["local_hex"])]
    here = [*got["outs_hex"], *(["(local)", packet] for packet in got["local_hex"])]
    if [device for device, _ in there] != [device for device, _ in here]:
        return [*found, f"packets leave by {[d for d, _ in there]} there, by {[d for d, _ in here]} here"]
    for (device, one), (_, other) in zip(there, here, strict=True):
        if not _same_packet(
            bytes.fromhex(one), bytes.fromhex(other), numbers, own=expected.get("dev", "held") is None
        ):
            found.append(f"packet by {device}: {one} there, {other} here")
    return found


def conntrack_differences(expected: Sequence[Entry], got: Sequence[Entry], numbers: Numbers) -> list[str]:
    """What differs between two connection tracking tables, in any order."""
    there, here = list(expected), _Entries(got)
    for learn in (False, True):  # what is known first: two entries may differ in nothing but a drawn port
        there = [one for one in there if not here.take(one, numbers, learn=learn)]
    return [f"entry only there: {_brief(one)}" for one in there] + [
        f"entry only here: {_brief(one)}" for one in here.left()
    ]


class _Entries:
    """Entries that wait for their like, by what must be equal as it stands."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._waiting: dict[Hashable, list[Entry]] = {}
        for entry in entries:
            self._waiting.setdefault(_fixed(entry), []).append(entry)

    def take(self, wanted: Entry, numbers: Numbers, *, learn: bool) -> bool:
        """Take one that is the same as ``wanted`` out; whether there was one."""
        waiting = self._waiting.get(_fixed(wanted), [])
        for place, entry in enumerate(waiting):
            if _same_entry(wanted, entry, numbers, learn=learn):
                del waiting[place]
                return True
        return False

    def left(self) -> list[Entry]:
        """Those that nobody took."""
        return [entry for waiting in self._waiting.values() for entry in waiting]


def _same_packet(one: bytes, other: bytes, numbers: Numbers, *, own: bool) -> bool:
    there, here = masked(one, own=own), masked(other, own=own)
    if (there.rest, there.sums, len(there.numbers)) != (here.rest, here.sums, len(here.numbers)):
        return False
    return numbers.same(list(zip(there.numbers, here.numbers, strict=True)))


def _same_entry(one: Entry, other: Entry, numbers: Numbers, *, learn: bool) -> bool:
    if abs((one["timeout"] or 0) - (other["timeout"] or 0)) > _TIMEOUT_TOLERANCE:
        return False
    pairs = [
        pair
        for side in ("orig", "reply")
        for pair in zip(_numbers(one[side]), _numbers(other[side]), strict=True)
    ]
    return numbers.same(pairs, learn=learn)


def _numbers(of: Mapping[str, Any]) -> list[Number]:
    """The numbers of a tuple."""
    src, dst = (ip_address(of[end]).packed for end in ("src", "dst"))
    if "icmp_id" in of:
        one, other = sorted((src, dst))
        return [Number(of["icmp_id"], is_port=False, own=one, other=other, other_port=0)]
    if "sport" not in of:
        return []
    sport, dport = of["sport"], of["dport"]
    return [
        Number(sport, is_port=True, own=src, other=dst, other_port=dport),
        Number(dport, is_port=True, own=dst, other=src, other_port=sport),
    ]


def _fixed(entry: Entry) -> Hashable:
    """What of an entry must be equal as it stands."""
    tuples = tuple(
        tuple(sorted((key, "" if key in _NUMBERS else value) for key, value in entry[side].items()))
        for side in ("orig", "reply")
    )
    flags = frozenset(entry["flags"]) - _BOOKKEEPING
    states = tuple(entry.get(tracker, {}).get("state") for tracker in ("tcp", "sctp"))
    return (tuples, flags, states, entry.get("mark") or 0, entry.get("zone") or 0)


def _class_of(port: int) -> int:
    return 0 if port < 512 else 1 if port < 1024 else 2


def _brief(entry: Entry) -> str:
    orig, reply = (
        " ".join(
            str(entry[side][key]) for key in ("src", "sport", "dst", "dport", "icmp_id") if key in entry[side]
        )
        for side in ("orig", "reply")
    )
    state = next((entry[tracker]["state"] for tracker in ("tcp", "sctp") if tracker in entry), "")
    flags = ",".join(sorted(set(entry["flags"]) - _BOOKKEEPING))
    return f"{entry['orig']['proto']} {orig} / {reply} {state} [{flags}] {entry['timeout']} s mark {entry.get('mark')}"
