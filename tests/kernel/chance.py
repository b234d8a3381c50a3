"""Whether a difference can come from the dice: a port that one side drew, and that rules or packets name.

The kernel and kdp draw their own ports. A drawn port that is also a named one is taken for that one by rules, by other
connections and by the comparison; the other side drew another. Such a run says nothing, and is made again with other
draws. A difference without such a port in either table is a deviation, whether it comes again or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.kernel.entry import Entry


def drawn_by_chance(tables: Mapping[str, Sequence[Entry]], named: frozenset[int]) -> Iterator[str]:
    """What a side drew that the world names, and what it drew twice, in words."""
    for side, entries in tables.items():
        drawn: set[tuple[str, int]] = set()
        for entry in entries:
            for end, number in _drawn(entry):
                if number in named:
                    yield f"{number} was drawn {side}, and is named"
                if (end, number) in drawn:
                    yield f"{number} was drawn twice {side}"
                drawn.add((end, number))


def _drawn(entry: Entry) -> Iterator[tuple[str, int]]:
    """Numbers of the client's end that are others behind the box than in front of it."""
    orig, reply = entry["orig"], entry["reply"]
    if "sport" in orig and orig["sport"] != reply["dport"]:
        yield reply["dst"], reply["dport"]
    if "icmp_id" in orig and orig["icmp_id"] != reply["icmp_id"] and reply["icmp_id"] > 64:
        yield reply["dst"], reply["icmp_id"]
