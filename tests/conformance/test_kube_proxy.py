"""Rule sets that a real kube-proxy left in a kernel, and flow tables, against what kdp writes and decides."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from kdp import conformance

CASES = Path(__file__).parents[1] / "cases"
UNORDERED = {"KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES", "KUBE-PROXY-FIREWALL"}
TOOLS = {"iptables-save": "iptables", "ip6tables-save": "ip6tables"}

Chains = dict[tuple[str, str], list[str]]


def read(path: Path) -> dict[str, Any]:
    with gzip.open(path, "rt") as file:
        found: dict[str, Any] = json.load(file)
    return found


def chains(text: str) -> Chains:
    """The rules of tables nat and filter by chain. Chains that kube-proxy fills in no order come sorted."""
    found: Chains = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            found.setdefault((table, line[1:].split()[0]), [])
        elif line.startswith("-A "):
            found.setdefault((table, line.split()[1]), []).append(line)
    return {
        key: sorted(rules) if key[1] in UNORDERED else rules
        for key, rules in found.items()
        if key[0] in ("nat", "filter") and "CANARY" not in key[1]
    }


def compared(kdp_text: str, real_text: str) -> tuple[Chains, Chains]:
    """Both sides without base chains that one of them does not list: an empty one is not there for every tool."""
    ours, real = chains(kdp_text), chains(real_text)
    for side in (ours, real):
        for key in [key for key, rules in side.items() if not rules and not key[1].startswith("KUBE")]:
            del side[key]
    return ours, real


def rule_sets() -> list[Any]:
    rows = []
    for path in sorted((CASES / "kube-proxy").glob("*.json.gz")):
        case = path.name.removesuffix(".json.gz")
        rows += [
            pytest.param(path, end, id=f"{case}{end}") for end in read(path)["expected"] if "nft" not in end
        ]
    assert len(rows) >= 44
    return rows


@pytest.mark.parametrize(("path", "end"), rule_sets())
def test_the_rules_are_kube_proxys(path: Path, end: str) -> None:
    case = read(path)
    step, _, listing = end.partition(".")
    tool = TOOLS[listing]
    if step:
        texts = conformance.render_rules_after(case["objects"], case["objects_after"], case["proxy"])
        text = texts[1][tool]
    else:
        text = conformance.render_rules(case["objects"], case["proxy"])[tool]
    ours, real = compared(text, case["expected"][end])
    assert ours == real
    if ("nat", "KUBE-SERVICES") in ours:
        assert "NOTE: this must be the last rule" in last_of(text, "KUBE-SERVICES")


def last_of(text: str, chain: str) -> str:
    nat = text[text.index("*nat") :]
    return [line for line in nat.splitlines() if line.startswith(f"-A {chain} ")][-1]


FLOWS = read(CASES / "flows" / "flows.json.gz")


@pytest.mark.parametrize(
    "name", sorted(name for name, case in FLOWS.items() if case["proxy"]["mode"] == "iptables")
)
def test_flows_are_decided_as_kube_proxys_own_tests_decide_them(name: str) -> None:
    case = FLOWS[name]
    for flow, got in zip(case["flows"], conformance.run_flows(case), strict=True):
        want = flow["expect"]
        found = (got["verdict"], sorted(got["backends"]), got["masquerade"])
        assert found == (want["verdict"], sorted(want["backends"] or []), want["masquerade"]), flow["name"]


def test_enough_flow_tables_are_there() -> None:
    assert sum(case["proxy"]["mode"] == "iptables" for case in FLOWS.values()) >= 40
