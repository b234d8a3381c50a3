"""kdp nodes, compare, diff, rules diff|check|support and explain flow, as users type them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run

WEB = Path(__file__).resolve().parents[2] / "examples" / "web"
BEFORE, AFTER = str(WEB / "before.yaml"), str(WEB / "after.yaml")


def test_a_matrix(run: Run) -> None:
    done = run("nodes", "matrix", "svc/web", "-n", "shop", "-f", BEFORE, "-q", "-o", "json")
    data = json.loads(done.out)
    verdicts = {(row["node"], row["frontend"], row["source"]): row["verdict"] for row in data["rows"]}
    assert (data["kind"], data["service"]) == ("NodeMatrix", "shop/web")
    assert verdicts["n1", "node port", "outside"] == "deliver"
    assert verdicts["n2", "node port", "outside"] == "drop"
    assert done.status == 0
    again = run("nodes", "matrix", "svc/web", "-n", "shop", "-f", BEFORE, "-q", "--exit-code", "--node", "n2")
    assert again.status == 3
    assert "n1" not in again.out


def test_a_comparison_of_modes(run: Run) -> None:
    done = run("compare", "-f", BEFORE, "-q", "--exit-code", "-o", "json")
    data = json.loads(done.out)
    assert done.status == 3
    reasons = {each["reason"]: each for each in data["reasons"]}
    assert set(reasons) == {"localhost-node-port", "node-port-address", "port-that-no-service-has"}
    assert data["classes"] == sum(each["classes"] for each in data["reasons"])
    same = run("compare", "--modes", "nftables,nftables", "-f", BEFORE, "-q", "--exit-code")
    assert (same.status, same.out) == (0, "nftables and nftables decide alike, for every class of flows\n")


def test_a_difference_of_manifests(run: Run) -> None:
    done = run("diff", BEFORE, AFTER, "-q", "--exit-code", "-o", "json", "--lb-pool", "198.51.100.0/28")
    data = json.loads(done.out)
    (service,) = data["services"]
    assert done.status == 3
    assert service["endpoints"] == ["- 10.244.1.2:80 ready"]
    assert {source for row in service["lost"] for source in row["sources"]} == {"pod", "node", "outside"}
    assert service["gained"] == []
    assert data["rules"]["n1"]["removed"] > data["rules"]["n1"]["added"]
    same = run("diff", BEFORE, BEFORE, "-q", "--exit-code")
    assert (same.status, same.out) == (0, "nothing differs: endpoints, rules and decisions are the same\n")


@pytest.mark.parametrize(
    ("operands", "said"),
    [
        (("n1", "n2"), "node n1 -> node n2"),
        (("iptables", "nftables"), "rules of two languages are compared by what they decide"),
        (("1.31", "1.36"), "1.31 -> 1.36, rules of node n1"),
    ],
)
def test_rules_are_compared(run: Run, operands: tuple[str, str], said: str) -> None:
    done = run("rules", "diff", *operands, "-f", BEFORE, "-q")
    assert done.status == 0
    assert said in done.out


def test_dumps_are_compared(run: Run) -> None:
    done = run("rules", "diff", BEFORE, AFTER, "-q", "--exit-code", "-o", "json")
    data = json.loads(done.out)
    assert done.status == 3
    assert any("no endpoints" in line for each in data["rules"] for line in each["lines"])
    assert data["decisions"]


@pytest.mark.parametrize("mode", ["iptables", "nftables"])
def test_rules_of_a_real_node_are_checked(run: Run, tmp_path: Path, mode: str) -> None:
    live = tmp_path / "live"
    text = run("rules", "--node", "n1", "--mode", mode, "-f", BEFORE, "-q").out
    foreign = ":KUBE-EXTERNAL", ":CNI-FORWARD - [0:0]\n:KUBE-EXTERNAL"
    real = text.replace(*foreign, 1) if mode == "iptables" else f"{text}table ip other {{\n}}\n"
    live.write_text(real)
    good = run("rules", "check", str(live), "--against", BEFORE, "-q", "--exit-code")
    assert good.status == 0, good.out
    assert "has the rules that its objects ask for" in good.out
    dnat = next(
        line for line in text.splitlines() if "10.244.1.2" in line and ("DNAT" in line or "dnat" in line)
    )
    live.write_text(real.replace(f"{dnat}\n", "", 1))
    bad = run("rules", "check", str(live), "--against", BEFORE, "-q", "--exit-code")
    assert bad.status == 3
    assert "lacks 1 (-) and has 0" in bad.out
    assert "decided otherwise" in bad.out


def test_unsupported_rules_are_listed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "odd.save"
    path.write_text(
        "*filter\n:F - [0:0]\n-A F -m frob -j RETURN\n-A F -j RETURN\n-A F -m blub -j RETURN\nCOMMIT\n"
    )
    done = run("rules", "support", str(path), "--exit-code")
    assert done.status == 3
    assert f'{path}:3: match "frob" is not modelled' in done.out
    assert f"{path}:5:" in done.out
    data = json.loads(run("rules", "support", str(path), "-o", "json").out)
    assert [each["line"] for each in data["files"][0]["findings"]] == [3, 5]


@pytest.mark.parametrize("mode", ["iptables", "nftables"])
def test_a_flow_is_explained(run: Run, mode: str) -> None:
    asked = ("explain", "flow", "pod/cart-1", "web:80", "-n", "shop", "-f", BEFORE, "-q", "--mode", mode)
    text = run(*asked).out
    assert "delivered to shop/web-1 (10.244.1.2:80)" in text.splitlines()[0]
    data = json.loads(run(*asked, "-o", "json").out)
    last = data["rules"][-1]
    assert last["outcome"] == "dnat to 10.244.1.2:80"
    if mode == "iptables":
        assert last["without"] == "no-route, and no rule decides"
    else:
        assert last["without"].startswith("rejected")
        assert "cluster-ips-check" in last["next_rule"]


def test_rules_of_nftables_are_listed_counted_and_data(run: Run) -> None:
    asked = ("-f", BEFORE, "-q", "--mode", "nftables", "--node", "n1")
    data = json.loads(run("rules", *asked, "-o", "json", "--chain", "services").out)
    (chain,) = data["tables"][0]["chains"]
    assert chain["name"] == "services"
    listed = run("rules", *asked, "-o", "list", "-t", "ip kube-proxy").out
    assert "ip kube-proxy chain services, 3 rules\n  1  ip daddr" in listed
    counts = json.loads(run("rules", "count", *asked, "-o", "json").out)["counts"]
    assert counts["ip"]["kube-proxy"]["chains"] > 5
    assert run("rules", *asked, "--chain", "nothing").status == 2


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("compare", "--modes", "iptables,ipvs", "-f", BEFORE), 1, "error[proxy-mode-not-modelled]"),
        (("compare", "--modes", "iptables", "-f", BEFORE), 2, "two modes are compared"),
        (("diff", BEFORE, AFTER, "-f", BEFORE), 2, "takes BEFORE and AFTER"),
        (("diff", BEFORE, "gone.yaml"), 1, "error[file-not-found]"),
        (("diff", BEFORE, AFTER, "--lb-pool", "x"), 2, "--lb-pool x"),
        (("diff", BEFORE, AFTER, "--node", "n9"), 1, "Node n9"),
        (("nodes", "matrix", "pod/web-1", "-f", BEFORE), 2, "a Service is wanted"),
        (("nodes", "matrix", "svc/wbe", "-n", "shop", "-f", BEFORE), 1, "error[no-such-object]"),
        (("rules", "cuont", "-f", BEFORE), 2, "did you mean count?"),
        (("rules", "diff", "n1", "-f", BEFORE), 2, "1 arguments"),
        (("rules", "diff", "n1", "1.30", "-f", BEFORE), 2, "'n1' is a node, '1.30' a release"),
        (("rules", "diff", "1.12", "1.36", "-f", BEFORE), 1, "error[proxy-unknown-release]"),
        (("rules", "check", BEFORE, "--against", BEFORE), 1, "error[rule-syntax]"),
        (("rules", "support", "gone.save"), 1, "error[file-not-found]"),
        (("explain", "flow", "pod/cart-1", "-f", BEFORE), 2, "takes FROM and TO:PORT"),
    ],
)
def test_usage_is_checked(run: Run, arguments: tuple[str, ...], status: int, said: str) -> None:
    done = run(*arguments, "-q")
    assert done.status == status, done.err
    assert said in done.err
