"""What differs between two runs of the same packets, where each may have drawn its own random ports.

A random port or echo id of one run stands for one of the other, the same throughout; everything else must be equal,
byte for byte. A number that the input names was not drawn and stands for itself. Where many ports are drawn, two
connections to different ends may draw the same one by chance: then ``by_ends`` lets it stand for two.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, NamedTuple

from kdp.conformance.masked import masked

__all__ = ["Numbers", "conntrack_differences", "run_differences", "step_differences"]

Step = Mapping[str, Any]
Entry = Mapping[str, Any]


class Pair(NamedTuple):
    """Two numbers at the same place of two runs."""

    there: int
    here: int
    is_port: bool
    ends: Hashable
    """Addresses that it belongs to, and the port at the other end where that is the same in both."""


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
        for pair in pairs:
            scope = pair.ends if self._by_ends else None
            known = there.get((scope, pair.there), self._there.get((scope, pair.there)))
            known_back = back.get((scope, pair.here), self._back.get((scope, pair.here)))
            if {pair.there, pair.here} & self._named:
                known, known_back = (pair.there, pair.there) if pair.there == pair.here else (-1, -1)
            if known is None and known_back is None and learn and _may_stand(pair):
                there[scope, pair.there], back[scope, pair.here] = pair.here, pair.there
            elif (known, known_back) != (pair.here, pair.there):
                return False
        self._there |= there
        self._back |= back
        return True


def _may_stand(pair: Pair) -> bool:
    """A drawn port stays in the class of the one that it replaces.

    Source: net/netfilter/nf_nat_core.c, nf_nat_l4proto_unique_tuple, v6.12: 1-511, 512-1023 (600 up), 1024-65535.
    """
    return not pair.is_port or _class_of(pair.there) == _class_of(pair.here)


def run_differences(
    expected: Mapping[str, Any], got: Mapping[str, Any], named: Iterable[int] = ()
) -> list[str]:
    """What differs between two runs in the result form of a packet case; nothing if they are the same."""
    numbers = Numbers(named)
    found = []
    for number, (one, other) in enumerate(zip(expected["steps"], got["steps"], strict=True)):
        if "outs_hex" in one:
            found += [f"step {number}: {what}" for what in step_differences(one, other, numbers)]
        if "conntrack" in one:
            listed = conntrack_differences(one["conntrack"], other["conntrack"], numbers)
            found += [f"step {number}: {what}" for what in listed]
    return found + conntrack_differences(expected["conntrack"], got["conntrack"], numbers)


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
        if not _same_packet(bytes.fromhex(one), bytes.fromhex(other), numbers, own=expected["dev"] is None):
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
    shapes = [(m.rest, m.sums, len(m.ports), len(m.ids)) for m in (there, here)]
    if shapes[0] != shapes[1]:
        return False
    ports = zip(there.ports, here.ports, there.ends, strict=False)
    others = [
        theirs if theirs == ours else None for theirs, ours in zip(there.ports, here.ports, strict=True)
    ]
    pairs = [
        Pair(a, b, True, (*ends, others[at ^ 1] if at ^ 1 < len(others) else None))
        for at, (a, b, ends) in enumerate(ports)
    ]
    return numbers.same(
        [*pairs, *(Pair(a, b, False, None) for a, b in zip(there.ids, here.ids, strict=True))]
    )


def _same_entry(one: Entry, other: Entry, numbers: Numbers, *, learn: bool) -> bool:
    if abs((one["timeout"] or 0) - (other["timeout"] or 0)) > _TIMEOUT_TOLERANCE:
        return False
    pairs = [pair for side in ("orig", "reply") for pair in _pairs(one[side], other[side])]
    return numbers.same(pairs, learn=learn)


def _pairs(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Pair]:
    """The numbers of two tuples."""
    if "icmp_id" in one:
        return [Pair(one["icmp_id"], other["icmp_id"], False, None)]
    if "sport" not in one:
        return []
    src, dst = (ip_address(one[end]).packed for end in ("src", "dst"))
    sport, dport = (one[key] if one[key] == other[key] else None for key in ("sport", "dport"))
    return [
        Pair(one["sport"], other["sport"], True, (src, dst, dport)),
        Pair(one["dport"], other["dport"], True, (dst, src, sport)),
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
