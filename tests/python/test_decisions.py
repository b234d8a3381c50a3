"""Classes of flows, what is decided about them, and where two clusters decide otherwise."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import kdp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kdp.decisions import Decision, decide, differences, flow_classes
from kdp.decisions.manifests import assign_load_balancers, endpoint_changes
from kdp.decisions.modes import REASONS, reason_of
from kdp.errors import KdpError
from kdp.rule_sets import RuleChain, count_nft, read_nft, read_saved, rule_changes
from kdp.testing import clusters

if TYPE_CHECKING:
    from kdp.objects import Manifest


def node(name: str, number: int) -> Manifest:
    return kdp.Node(name, ip=f"192.0.2.{number}", pod_cidr=f"10.244.{number}.0/24")


def pod(name: str, on: int, app: str) -> Manifest:
    return kdp.Pod(name, labels={"app": app}, ip=f"10.244.{on}.{9 if app == 'web' else 8}", node=f"n{on}")


def service(**spec: Any) -> dict[str, Any]:
    plain = {
        "type": "NodePort",
        "clusterIP": "10.96.0.10",
        "selector": {"app": "web"},
        "ports": [{"port": 80, "targetPort": 8080, "nodePort": 30080}],
    }
    ingress = spec.pop("ingress", None)
    made = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"}}
    made |= {"spec": plain | spec}
    return made | ({"status": {"loadBalancer": {"ingress": [{"ip": ingress}]}}} if ingress else {})


def cluster(*, mode: str = "iptables", k8s: str | None = None, pods: str = "web", **spec: Any) -> kdp.Cluster:
    objects = [node("n1", 1), node("n2", 2), pod("cart", 2, "cart"), service(**spec)]
    return kdp.Cluster([*objects, *([pod("web", 1, "web")] if pods else [])], mode=mode, k8s=k8s)


def decided(of: kdp.Cluster, frontend: str, on: str, source: str, address: str = "") -> Decision:
    for flow in flow_classes(of, nodes=[on]):
        if (flow.frontend, flow.source) == (frontend, source) and address in flow.target:
            return decide(of, flow)
    raise AssertionError("there is no such class")


WEB = ("default/web:8080",)


def test_a_class_is_listed_for_each_node_frontend_and_source() -> None:
    flows = list(
        flow_classes(cluster(externalIPs=["198.18.0.9"], loadBalancerSourceRanges=["203.0.113.0/24"]))
    )
    assert len({flow.key for flow in flows}) == len(flows)
    seen = Counter((flow.frontend, flow.source) for flow in flows if flow.node == "n1")
    outside = {"endpoint", "node", "outside", "outside in range"}
    assert {source for frontend, source in seen if frontend == "external IP"} == outside
    assert {source for frontend, source in seen if frontend == "node port of localhost"} == {"node"}
    assert {flow.source for flow in flows if flow.node == "n2"} == {
        "pod",
        "node",
        "outside",
        "outside in range",
    }
    in_range = {flow.asks for flow in flows if flow.source == "outside in range"}
    assert in_range == {"203.0.113.77"}


def test_headless_and_external_name_have_no_classes() -> None:
    assert list(flow_classes(cluster(clusterIP="None", type="ClusterIP", ports=[{"port": 80}]))) == []


def test_policy_local_decides_by_node() -> None:
    local = cluster(externalTrafficPolicy="Local")
    assert decided(local, "node port", "n1", "outside", "192.0.2.1") == Decision("deliver", WEB, "no")
    assert decided(local, "node port", "n2", "outside", "192.0.2.2") == Decision("drop")
    assert decided(local, "node port", "n2", "pod", "192.0.2.2") == Decision("deliver", WEB, "no")
    everywhere = cluster()
    assert decided(everywhere, "node port", "n2", "outside", "192.0.2.2") == Decision("deliver", WEB, "yes")


def test_a_hairpin_is_masqueraded_and_nobody_is_rejected() -> None:
    assert decided(cluster(), "cluster IP", "n1", "endpoint") == Decision("deliver", WEB, "yes")
    assert str(decided(cluster(), "cluster IP", "n2", "pod")) == "deliver to default/web:8080"
    empty = decided(cluster(pods=""), "cluster IP", "n2", "pod")
    assert empty == Decision("reject")
    assert "gets ICMP" in str(empty.reason)


@pytest.mark.parametrize(
    ("spec", "k8s", "reasons"),
    [
        ({}, None, {"localhost-node-port", "node-port-address", "port-that-no-service-has"}),
        (
            {"pods": "", "externalIPs": ["198.18.0.9"], "type": "ClusterIP", "ports": [{"port": 80}]},
            None,
            {"frontend-without-endpoints-from-node", "port-that-no-service-has"},
        ),
        (
            {
                "pods": "",
                "type": "LoadBalancer",
                "ingress": "198.18.0.5",
                "loadBalancerSourceRanges": ["203.0.113.0/24"],
                "allocateLoadBalancerNodePorts": False,
                "ports": [{"port": 80}],
            },
            None,
            {
                "source-ranges-before-reject",
                "frontend-without-endpoints-from-node",
                "port-that-no-service-has",
            },
        ),
        (
            {"type": "LoadBalancer", "ingress": "198.18.0.5", "externalTrafficPolicy": "Local"},
            "1.31",
            {
                "local-policy-from-node",
                "localhost-node-port",
                "node-port-address",
                "port-that-no-service-has",
            },
        ),
    ],
)
def test_modes_differ_for_reasons_that_have_a_name(
    spec: dict[str, Any], k8s: str | None, reasons: set[str]
) -> None:
    pair = [cluster(mode=mode, k8s=k8s, **dict(spec)) for mode in ("iptables", "nftables")]
    found = {reason_of(each) for each in differences(*pair)}
    assert found - {"other"} >= reasons - {"frontend-without-endpoints-from-node"}
    assert found <= reasons
    assert found <= REASONS.keys()


def test_what_is_lost_and_gained() -> None:
    before, after = cluster(), cluster(pods="")
    lost = list(differences(before, after))
    assert {each.lost for each in lost} == {True}
    assert {each.gained for each in differences(after, before)} == {True}
    assert list(endpoint_changes(before, after)) == [("default/web", "- 10.244.1.9:8080 ready")]


@given(clusters())
@settings(max_examples=15, deadline=None)
def test_a_cluster_decides_like_itself_and_its_decisions_fit_its_endpoints(drawn: kdp.Cluster) -> None:
    assert list(differences(drawn, drawn)) == []
    for flow in flow_classes(drawn):
        decision = decide(drawn, flow)
        assert (decision.verdict == "deliver") == bool(decision.backends), flow
        if flow.frontend == "cluster IP":
            assert decision.verdict in ("deliver", "reject"), flow


def test_load_balancers_get_the_same_address_in_both() -> None:
    plain = {"type": "LoadBalancer"}
    pair = (cluster(**plain), cluster(pods="", **plain))
    said = assign_load_balancers(pair, ["198.51.100.0/30"])
    assert said == ["Service default/web: load-balancer address 198.51.100.1"]
    assert assign_load_balancers(pair, ["198.51.100.0/30"]) == []
    found = {flow.address for of in pair for flow in flow_classes(of) if flow.frontend == "load balancer IP"}
    assert found == {"198.51.100.1"}


@pytest.mark.parametrize(("pool", "code"), [("no", "argument-invalid"), ("fd00::/64", "range-full")])
def test_a_pool_that_has_nothing(pool: str, code: str) -> None:
    with pytest.raises(KdpError) as caught:
        assign_load_balancers([cluster(type="LoadBalancer")], [pool])
    assert caught.value.code == code


RULES = st.lists(st.sampled_from(["-A C -j A", "-A C -j B", "-A C -j D"]), max_size=6)


@given(RULES, RULES)
def test_changes_lead_from_one_chain_to_the_other(before: list[str], after: list[str]) -> None:
    pair = [{("nat", "C"): RuleChain("chain", [], rules)} for rules in (before, after)]
    changes = dict(rule_changes(*pair))
    lines = changes.get("nat C", [])
    gone, come = (Counter(line[2:] for line in lines if line.startswith(f"{sign} ")) for sign in "-+")
    assert Counter(before) - gone + come == Counter(after)
    assert bool(lines) == (before != after)


@pytest.mark.parametrize("mode", ["iptables", "nftables"])
def test_counts_and_listings_agree_with_the_text(mode: str) -> None:
    text = cluster(mode=mode).rules("n1")
    found = read_nft(text) if mode == "nftables" else read_saved(text)
    chains = [each for each in found.values() if each.kind == "chain"]
    if mode == "nftables":
        counts = count_nft(text)
        total = sum(table["rules"] for family in counts.values() for table in family.values())
        assert total == sum(len(each.rules) for each in chains)
        assert counts["ip"]["kube-proxy"]["sets"] == text.split("table ip6")[0].count("\tset ")
    else:
        assert sum(len(each.rules) for each in chains) == text.count("\n-A ")
        assert len(chains) == text.count("\n:")
