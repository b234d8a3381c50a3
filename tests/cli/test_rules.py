"""``kdp rules``: a node's rules in the forms of the iptables tools."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Run


def test_save_has_tables_chains_and_rules(example: Run) -> None:
    out = example("rules", "--node", "node-1").out
    assert re.findall(r"^\*(\w+)$", out, re.MULTILINE).count("nat") == 1
    assert '-d 10.99.1.1/32 -p tcp -m comment --comment "blog-system/mysql-service cluster IP"' in out
    assert out.count("COMMIT") == len(re.findall(r"^\*", out, re.MULTILINE))


def test_one_table_and_one_chain(example: Run) -> None:
    assert "*filter" not in example("rules", "-t", "nat").out
    lines = example("rules", "-t", "nat", "--chain", "KUBE-SERVICES", "-o", "save").out.splitlines()
    assert lines[0].startswith(":KUBE-SERVICES ")
    assert all(line.startswith("-A KUBE-SERVICES ") for line in lines[1:])


def test_a_chain_is_listed_as_iptables_lists_it(example: Run) -> None:
    lines = example("rules", "--chain", "KUBE-SERVICES").out.splitlines()
    assert lines[0].startswith("Chain KUBE-SERVICES (")
    assert lines[1].split() == ["target", "prot", "opt", "source", "destination"]
    [line] = [line for line in lines if "mysql-service" in line]
    assert line.startswith("KUBE-SVC-")
    assert "10.99.1.1" in line
    assert "tcp dpt:3306" in line


def test_json_has_the_same_rules(example: Run) -> None:
    data = json.loads(example("rules", "--node", "node-1", "-o", "json").out)
    saved = example("rules", "--node", "node-1").out
    rules = [rule for table in data["tables"] for chain in table["chains"] for rule in chain["rules"]]
    assert sorted(rules) == sorted(line for line in saved.splitlines() if line.startswith("-A "))
    assert (data["kind"], data["node"]) == ("Rules", "node-1")


def test_rules_are_counted(example: Run) -> None:
    saved = example("rules", "-t", "nat").out
    counts = json.loads(example("rules", "count", "-o", "json").out)["counts"]["IPv4"]["nat"]
    assert counts["rules"] == saved.count("\n-A ")
    assert counts["chains"] == saved.count("\n:")
    assert example("rules", "count").out.splitlines()[0].split() == ["FAMILY", "TABLE", "RULES", "CHAINS"]


def test_a_chain_that_is_not_there_is_an_error(example: Run) -> None:
    assert example("rules", "--chain", "KUBE-SERVICE").status in (1, 2)
