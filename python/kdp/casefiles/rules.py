"""Rules that a kube-proxy left in a kernel, against kdp's: loaded, and listed as the tools list them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kdp import conformance
from kdp.casefiles.differences import multiset
from kdp.host import Host
from kdp.rule_sets import RuleChain, read_nft, read_saved, split_elements

__all__ = ["DEFAULT_PROXY", "LISTINGS", "compare_iptables", "compare_nft", "compare_rules"]

Json = Mapping[str, Any]

LISTINGS = {"iptables-save": "iptables", "ip6tables-save": "ip6tables", "nft": "nft"}
"""The tool that loads what a listing of that name shows."""

DEFAULT_PROXY: Json = {
    "nodeName": "node1",
    "nodeIPs": ["10.200.0.1"],
    "primaryNodeIP": "10.200.0.1",
    "detectLocal": {"mode": "ClusterCIDR", "clusterCIDR": "10.0.0.0/8"},
    "masqueradeAll": False,
    "version": "1.30",
}
"""The configuration of cases that have no proxy.yaml."""

UNORDERED = {"KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES", "KUBE-PROXY-FIREWALL"}
"""Chains that kube-proxy fills in the random order of a Go map."""

LAST = "NOTE: this must be the last rule"
SHOWN = 4


def compare_rules(
    objects: Sequence[Json], after: Sequence[Json] | None, given: Json, tool: str, real: str
) -> Iterator[str]:
    """The rules of a node against a listing. ``after``: the objects after a change, whose partial sync was listed.

    ``given``: what proxy.yaml says.
    """
    proxy = _proxy(given, "nftables" if tool == "nft" else "iptables")
    if after is None:
        text = conformance.render_rules(objects, proxy)[tool]
    else:
        text = conformance.render_rules_after(objects, after, proxy)[1][tool]
    host = Host({"devs": {}})
    host.load_rules(text, tool=tool)
    listed = host.rules(tool=tool)
    yield from (compare_nft if tool == "nft" else compare_iptables)(real, listed)


def _proxy(given: Json, mode: str) -> dict[str, Any]:
    ways: dict[str, Any] = {
        "localhostNodePorts": mode == "iptables",
        "nodePortAddresses": [] if mode == "iptables" else ["10.200.0.1/32"],
    }
    proxy = {**DEFAULT_PROXY, **ways, **(given.get(mode) or {}), "mode": mode}
    return proxy | {"version": str(given.get("version", proxy["version"]))}


def compare_iptables(real: str, listed: str) -> Iterator[str]:
    """Tables nat and filter, chain by chain; canaries and empty base chains left aside."""
    wanted, found = _chains(real), _chains(listed)
    for key in sorted(wanted.keys() | found.keys()):
        want, have = wanted.get(key), found.get(key)
        place = " ".join(key)
        if want is None or have is None:
            if not key[1].startswith("KUBE") and not (want or have):
                continue
            yield f"{place}: {'only here' if want is None else 'missing'}"
        elif key[1] in UNORDERED:
            yield from multiset(place, _marked(want), _marked(have), SHOWN)
        elif want != have:
            yield from _lines(place, want, have)


def _chains(text: str) -> dict[tuple[str, str], list[str]]:
    canary = re.compile("KUBE-(PROXY|KUBELET)-CANARY")
    return {
        key: chain.rules
        for key, chain in read_saved(text).items()
        if key[0] in ("nat", "filter") and not canary.search(key[1])
    }


def _marked(rules: Sequence[str]) -> list[str]:
    """The rule that must be the last one says whether it is."""
    is_last = not rules or LAST in rules[-1]
    return [f"{rule} <not the last>" if LAST in rule and not is_last else rule for rule in rules]


def _lines(place: str, want: Sequence[str], have: Sequence[str]) -> Iterator[str]:
    """Rules whose order counts."""
    said = list(multiset(place, want, have, SHOWN))
    if said:
        yield from said
        return
    number = next(at for at, (one, other) in enumerate(zip(want, have, strict=True)) if one != other)
    yield f"{place}: rule {number + 1}: another order: want {want[number]}, got {have[number]}"


def compare_nft(real: str, listed: str) -> Iterator[str]:
    """Tables named kube-proxy, object by object. Both texts are printed by kdp, so that spelling does not count."""
    host = Host({"devs": {}})
    host.load_rules(real, tool="nft")
    wanted, found = (_objects(text) for text in (host.rules(tool="nft"), listed))
    for name in sorted(wanted.keys() | found.keys()):
        want, have = wanted.get(name), found.get(name)
        if want is None or have is None:
            yield f"{name}: {'missing' if want else 'only here'}"
            continue
        yield from multiset(name, want.head, have.head, SHOWN)
        rules, others = ([_unordered(rule) for rule in each.rules] for each in (want, have))
        if want.kind != "chain":
            yield from multiset(name, rules, others, SHOWN)
        elif rules != others:
            yield from _lines(name, rules, others)


def _objects(text: str) -> dict[str, RuleChain]:
    """What tables named kube-proxy hold; what is in a dynamic set is the packets' doing."""
    found = {" ".join(key): each for key, each in read_nft(text).items() if key[0].endswith(" kube-proxy")}
    for each in found.values():
        if any(head.startswith("flags") and "dynamic" in head for head in each.head):
            each.rules.clear()
    return found


def _unordered(rule: str) -> str:
    """A rule whose anonymous sets and maps are sorted; a set of one element is that element."""

    def sort(found: re.Match[str]) -> str:
        elements = sorted(split_elements(found[1]))
        return (
            elements[0] if len(elements) == 1 and " : " not in elements[0] else f"{{ {', '.join(elements)} }}"
        )

    return re.sub(r"\{ (.*?) \}", sort, rule)
