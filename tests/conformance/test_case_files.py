"""Case files: found by their content, equal as they are, and different as soon as an answer is changed."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kdp.casefiles import find_cases
from kdp.casefiles.find import KINDS
from kdp.casefiles.normal_run import normal_run
from kdp.errors import KdpError

from tests.conformance.packet_cases import packet_cases

CASES = Path(__file__).parents[1] / "cases"
RANDOM = ("kube_3svc_3ep_random", "kube_affinity_sticky")


def packed(path: str) -> Any:  # noqa: ANN401 -- JSON
    with gzip.open(CASES / path, "rt") as file:
        return json.load(file)


def lines(name: str) -> list[Any]:
    return [json.loads(line) for line in (CASES / "endpoints" / name).read_text().splitlines()]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cases of every kind, in the form in which they are handed round."""
    root = tmp_path_factory.mktemp("cases")

    def put(name: str, content: object) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    flows = packed("flows/flows.json.gz")
    put("flows/first.yaml", flows[min(flows)])
    for kind in ("selectors", "repack", "truncate"):
        put(f"endpoints/{kind}.json", lines(f"{kind}.jsonl")[:8])
    for kind in ("slices", "endpoints"):
        for case in lines(f"{kind}.jsonl")[:5]:
            put(f"endpoints/{kind}/{case['name']}.yaml", case)
    rows, *events = lines("churn.jsonl")
    put("endpoints/churn_reference.json", {"rows": rows})
    put(f"endpoints/{rows[0]['file']}", "".join(json.dumps(line) + "\n" for line in events))
    for name in ("snat_ip_range", "dnat_port_range", *RANDOM):
        put(f"kernel/{name}.json", packet_cases()[name])
    put("kernel/segments.json", json.loads((CASES / "tcp/segments.json").read_text()))
    rules = packed("kube-proxy/c101.json.gz")
    put("kube-proxy/c101/objects.yaml", "\n---\n".join(map(json.dumps, rules["objects"])))
    put("kube-proxy/c101/node1.iptables-save", rules["expected"][".iptables-save"])
    put("dns/edge.yaml", packed("dns/dns-edge-1.json.gz"))
    put("dns/resolver-musl.yaml", packed("dns/resolver-musl.json.gz"))
    put("prometheus/ports.yaml", packed("prometheus/ports.json.gz"))
    put("prometheus/explain.yaml", packed("prometheus/explain-namespace.json.gz"))
    put("notes.json", {"what": "no case"})
    return root


def test_every_kind_is_found_and_equal(folder: Path) -> None:
    cases = find_cases([str(folder)])
    assert {case.kind for case in cases} == set(KINDS)
    assert {case.name: case.run() for case in cases if case.run()} == {}


Change = Callable[[Any], None]


def change_first(path: str, *keys: object, to: object) -> tuple[str, Change]:
    def change(content: Any) -> None:  # noqa: ANN401 -- JSON
        inner = content
        for key in keys[:-1]:
            inner = inner[key]
        assert inner[keys[-1]] != to, "a change changes something"
        inner[keys[-1]] = to

    return path, change


CHANGED = {
    "flows": change_first("flows/first.yaml", "flows", 0, "expect", "verdict", to="drop"),
    "selectors": change_first("endpoints/selectors.json", 0, "expect", to="nomatch"),
    "repack": change_first("endpoints/repack.json", 0, "expect", to=[{"addresses": [{"ip": "10.0.0.1"}]}]),
    "truncate": change_first("endpoints/truncate.json", 0, "truncated", to=True),
    "slices": change_first("endpoints/slices/all-nodes-missing.yaml", "expect", "slicesAfter", to=7),
    "endpoints": change_first(
        "endpoints/endpoints/clusterip-without-ports.yaml", "expect", "syncErrors", to=7
    ),
    "churn": change_first("endpoints/churn_reference.json", "rows", 0, "podEvents", to=7),
    "packets": change_first("kernel/snat_ip_range.json", "observed", "steps", 0, "verdict", to="drop"),
    "tcp": change_first("kernel/segments.json", "sequences", 0, 0, "st", to=9),
    "dns": change_first("dns/edge.yaml", "queries", 0, "expect", "rcode", to="REFUSED"),
    "resolver": change_first(
        "dns/resolver-musl.yaml", "rows", 0, "expect", "result", "addresses", to=["9.9.9.9"]
    ),
    "targets": change_first("prometheus/ports.yaml", "expect", "targets", 0, "url", to="http://127.0.0.1/"),
    "faults": change_first("prometheus/explain.yaml", "fault", "kind", to="monitor-rejected"),
}


@pytest.mark.parametrize("kind", sorted(CHANGED))
def test_a_changed_answer_is_a_difference(folder: Path, tmp_path: Path, kind: str) -> None:
    path, change = CHANGED[kind]
    content = json.loads((folder / path).read_text())
    change(content)
    there = tmp_path / path
    there.parent.mkdir(parents=True)
    there.write_text(json.dumps(content))
    if kind == "churn":
        for row in content["rows"]:
            (there.parent / row["file"]).parent.mkdir(exist_ok=True)
            (there.parent / row["file"]).write_text((folder / "endpoints" / row["file"]).read_text())
    cases = [case for case in find_cases([str(there)]) if case.kind == kind]
    assert cases
    assert any(case.run() for case in cases)


@pytest.mark.parametrize(
    ("pattern", "put", "said"),
    [
        (r"-A KUBE-FORWARD .*-j DROP\n", "", "not expected -A KUBE-FORWARD"),
        (r"(:KUBE-MARK-MASQ .*\n)", r"\1:KUBE-SVC-ODD - [0:0]\n", "nat KUBE-SVC-ODD: missing"),
        (r"0x4000/0x4000", "0x8000/0x8000", "nat KUBE-POSTROUTING"),
    ],
)
def test_changed_rules_are_a_difference(
    folder: Path, tmp_path: Path, pattern: str, put: str, said: str
) -> None:
    of = folder / "kube-proxy/c101"
    (tmp_path / "objects.yaml").write_text((of / "objects.yaml").read_text())
    text, count = re.subn(pattern, put, (of / "node1.iptables-save").read_text())
    assert count
    (tmp_path / "node1.iptables-save").write_text(text)
    (case,) = find_cases([str(tmp_path)])
    assert any(said in what for what in case.run())


@pytest.mark.parametrize("name", RANDOM)
def test_an_endpoint_of_a_set_stands_for_another_but_not_in_the_middle_of_a_flow(
    folder: Path, tmp_path: Path, name: str
) -> None:
    """The recorded run chose otherwise than kdp does: that is no difference. An endpoint of no set is one."""
    case = json.loads((folder / f"kernel/{name}.json").read_text())
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case))
    assert find_cases([str(path)])[0].run() == []
    del case["scenario"]["ep_sets"]
    path.write_text(json.dumps(case))
    assert find_cases([str(path)])[0].run() != []


NFT = """\
table ip kube-proxy {
	set ips {
		type ipv4_addr
		elements = { 10.0.0.1, 10.0.0.2 }
	}

	chain c {
		ip daddr { 10.0.0.1, 10.0.0.2 } drop
		ip saddr @ips accept
	}
}
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("", "", []),
        ("{ 10.0.0.1, 10.0.0.2 } drop", "{ 10.0.0.2, 10.0.0.1 } drop", []),
        ("elements = { 10.0.0.1, 10.0.0.2 }", "elements = { 10.0.0.2, 10.0.0.1 }", []),
        ("elements = { 10.0.0.1, 10.0.0.2 }", "elements = { 10.0.0.1 }", ["set ips: not expected 10.0.0.2"]),
        (
            "accept",
            "drop",
            ["chain c: missing ip saddr @ips drop", "chain c: not expected ip saddr @ips accept"],
        ),
        (
            "\t\tip daddr { 10.0.0.1, 10.0.0.2 } drop\n\t\tip saddr @ips accept\n",
            "\t\tip saddr @ips accept\n\t\tip daddr { 10.0.0.1, 10.0.0.2 } drop\n",
            ["chain c: rule 1: another order"],
        ),
    ],
)
def test_listings_of_nft_are_compared_by_what_they_mean(old: str, new: str, said: list[str]) -> None:
    from kdp.casefiles.rules import compare_nft

    found = list(compare_nft(NFT.replace(old, new), NFT))
    assert len(found) == len(said)
    for what, words in zip(found, said, strict=True):
        assert words in what


def test_expected_counts_before_observed(folder: Path, tmp_path: Path) -> None:
    case = json.loads((folder / "kernel/snat_ip_range.json").read_text())
    case["expected"] = json.loads(json.dumps(normal_run(case["scenario"], case["observed"])))
    case["observed"] = None
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case))
    assert find_cases([str(path)])[0].run() == []
    packet = next(step["outs"][0] for step in case["expected"]["steps"] if step.get("outs"))
    packet["ttl"] += 1
    path.write_text(json.dumps(case))
    (difference,) = find_cases([str(path)])[0].run()
    assert difference.endswith(f".ttl: {packet['ttl']} there, {packet['ttl'] - 1} here")


def test_a_drawn_port_has_a_name_and_a_class() -> None:
    case = packet_cases()["masq_conflict_with_local_flow"]
    text = json.dumps(normal_run(case["scenario"], case["observed"]))
    assert set(re.findall(r"R\d\[[^]]*\]", text)) == {"R1[1024-65535]"}


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("notes.json", "{}", "case-invalid"),
        ("notes.json", "{", "json-syntax"),
        ("notes.yaml", "a: [", "yaml-syntax"),
        ("lines.jsonl", '{"podDefaults": {}}\n', "case-invalid"),
        ("gone.yaml", None, "file-not-found"),
    ],
)
def test_a_file_that_is_no_case_is_refused(tmp_path: Path, name: str, text: str | None, code: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(KdpError) as caught:
        find_cases([str(tmp_path / name)])
    assert caught.value.code == code


def test_a_case_that_lacks_something_differs_and_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text('{"scenario": {"steps": []}, "observed": {"steps": []}}')
    (case,) = find_cases([str(tmp_path)])
    assert case.run()[0].startswith("error[case-invalid]: the case is not of the form of its kind: KeyError")
