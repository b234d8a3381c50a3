"""A node of a ``kdp.Cluster`` as one side of a pair, and the judge that got its rules."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from kdp.host import PacketResult

if TYPE_CHECKING:
    import kdp

    from tests.kernel.entry import Entry
    from tests.kernel.judge import Judge, MakeJudge

_LINE = re.compile(r"^(?:ipv[46]\s+\d+\s+)?(\w+)\s+\d+\s+(\d+)\s+(?:([A-Z_0-9]+)\s+)?(src=.*)$")
_WORDS = {word: word for word in ("src", "dst", "sport", "dport", "type", "code")} | {"id": "icmp_id"}


class ClusterNode:
    """One node: bytes in by its devices, bytes out."""

    def __init__(self, cluster: kdp.Cluster, node: str) -> None:
        self.cluster, self.node = cluster, node

    def judged(self, judge: MakeJudge) -> Judge:
        """A judge with the node's devices, addresses, routes and sysctls, and the rules that ``kdp rules`` prints."""
        made = judge(json.loads(self.cluster.core.topology(self.node)))
        made.load_rules(self.cluster.rules(self.node, form="save"))
        return made

    def receive(self, device: str, packet: bytes) -> PacketResult:
        """A packet comes in by ``eth0`` or ``cni0``."""
        return PacketResult.of(self.cluster.core.receive(self.node, device, packet))

    def send_local(self, packet: bytes) -> PacketResult:
        """The node itself sends a packet."""
        return PacketResult.of(self.cluster.core.send_local(self.node, packet))

    def conntrack(self) -> list[Entry]:
        """The table, read from the text that the conntrack tool would print."""
        return [
            entry_of_line(line)
            for line in self.cluster.core.conntrack(self.node).splitlines()
            if line.strip()
        ]


def entry_of_line(line: str) -> Entry:
    """An entry from a line of ``conntrack -L``."""
    found = _LINE.match(line)
    assert found, f"not a line of conntrack -L: {line!r}"
    proto, timeout, state, rest = found.groups()
    tuples: list[Entry] = []
    for word, value in re.findall(r"(\w+)=(\S+)", rest):
        if word == "src":
            tuples.append({"proto": proto})
        if word in _WORDS:
            tuples[-1][_WORDS[word]] = value if word in ("src", "dst") else int(value)
    orig, reply = tuples
    entry: Entry = {"orig": orig, "reply": reply, "timeout": int(timeout), "flags": _flags(orig, reply, rest)}
    mark = re.search(r"mark=(\d+)", rest)
    entry["mark"] = int(mark[1]) if mark else 0
    return entry | ({"tcp": {"state": state}} if state else {})


def _flags(orig: Entry, reply: Entry, rest: str) -> list[str]:
    """The tool prints two of them; translation is seen in the tuples."""
    numbers = ("icmp_id", "icmp_id") if "icmp_id" in orig else ("sport", "dport")
    told = {
        "SEEN_REPLY": "[UNREPLIED]" not in rest,
        "ASSURED": "[ASSURED]" in rest,
        "SRC_NAT": (orig["src"], orig[numbers[0]]) != (reply["dst"], reply[numbers[1]]),
        "DST_NAT": (orig["dst"], orig[numbers[1]]) != (reply["src"], reply[numbers[0]]),
    }
    return [flag for flag, is_set in told.items() if is_set]
