"""What differs between two runs of the same packets, where each may have drawn its own random ports.

A random port or echo id of one run stands for one of the other, the same throughout; everything else must be equal,
byte for byte. A number that the input names was not drawn and stands for itself.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from kdp.conformance.masked import masked

__all__ = ["Numbers", "conntrack_differences", "run_differences", "step_differences"]

Step = Mapping[str, Any]
Entry = Mapping[str, Any]
Pair = tuple[int, int, bool]
"""A number there, the number at the same place here, and whether it is a port (or else an echo id)."""

_BOOKKEEPING = frozenset({"CONFIRMED", "SRC_NAT_DONE", "DST_NAT_DONE"})
_NUMBERS = ("sport", "dport", "icmp_id")
_TIMEOUT_TOLERANCE = 2  # seconds: a real run takes its time


class Numbers:
    """Which number of the one run stands for which of the other."""

    def __init__(self, named: Iterable[int] = ()) -> None:
        self._there = {number: number for number in (0, *named)}
        self._back = dict(self._there)

    def same(self, pairs: Sequence[Pair], *, learn: bool = True) -> bool:
        """Whether the two numbers of each pair may stand for each other; if all may, then they do from now on.

        ``learn`` False: only what is known already counts.
        A drawn port stays in the class of the one that it replaces.
        Source: net/netfilter/nf_nat_core.c, nf_nat_l4proto_unique_tuple, v6.12: 1-511, 512-1023 (600 up), 1024-65535.
        """
        there, back = dict(self._there), dict(self._back)
        for one, other, is_port in pairs:
            if one not in there and other not in back:
                if not learn or (is_port and _class_of(one) != _class_of(other)):
                    return False
                there[one], back[other] = other, one
            if there.get(one) != other or back.get(other) != one:
                return False
        self._there, self._back = there, back
        return True


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
    ports = [(a, b, True) for a, b in zip(there.ports, here.ports, strict=True)]
    return numbers.same([*ports, *((a, b, False) for a, b in zip(there.ids, here.ids, strict=True))])


def _same_entry(one: Entry, other: Entry, numbers: Numbers, *, learn: bool) -> bool:
    if abs((one["timeout"] or 0) - (other["timeout"] or 0)) > _TIMEOUT_TOLERANCE:
        return False
    return numbers.same(
        [
            (one[side][key], other[side][key], key != "icmp_id")
            for side in ("orig", "reply")
            for key in _NUMBERS
            if key in one[side]
        ],
        learn=learn,
    )


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
