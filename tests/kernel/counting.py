"""The counters of rules, the kernel's beside kdp's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdp.host import Host

_SAVED = re.compile(r"^\[(\d+):(\d+)\] -A (\S+) ?(.*)$")
_POLICY = re.compile(r"^:(\S+) (\S+) \[(\d+):(\d+)\]$")
_NAMED = re.compile(r"counter (\w+) \{\s*packets (\d+) bytes (\d+)\s*\}")


def counter_differences(listings: Mapping[str, str], host: Host) -> list[str]:
    """Which rule, policy or named counter counted otherwise."""
    found: list[str] = []
    for tool, text in listings.items():
        if tool == "nft":
            found += _nft(text, host)
        else:
            found += _iptables(text, host, tool)
    return found


def _iptables(text: str, host: Host, tool: str) -> list[str]:
    found: list[str] = []
    for table in re.split(r"(?m)^\*", text)[1:]:
        name = table.split("\n", 1)[0]
        here = host.counters(name, tool=tool)
        place: dict[str, int] = {}
        for line in table.splitlines():
            if (policy := _POLICY.match(line)) and policy[2] != "-":
                pair = [int(policy[3]), int(policy[4])]
                if here[policy[1]]["policy"] != pair:
                    found.append(f"{name} {policy[1]}: policy {pair} there, {here[policy[1]]['policy']} here")
            if rule := _SAVED.match(line):
                number = place[rule[3]] = place.get(rule[3], -1) + 1
                pair = [int(rule[1]), int(rule[2])]
                if here[rule[3]]["rules"][number] != pair:
                    counts = here[rule[3]]["rules"][number]
                    found.append(f"{name} {rule[3]} {rule[4]}: {pair} there, {counts} here")
    return found


def _nft(text: str, host: Host) -> list[str]:
    found: list[str] = []
    for table in re.split(r"(?m)^(?=table )", text)[1:]:
        _, family, name = table.split("{", 1)[0].split()
        here = host.nft_counters(name, family=family)
        for counter, packets, count in _NAMED.findall(table):
            there = {"packets": int(packets), "bytes": int(count)}
            if here[counter] != there:
                found.append(f"{family} {name} counter {counter}: {there} there, {here[counter]} here")
    return found
