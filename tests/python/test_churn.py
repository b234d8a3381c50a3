"""Churn experiments through the public surface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kdp
import pytest
from kdp.experiments import ChurnResult, Traffic, churn
from kdp.experiments.churn_cluster import churn_sources, churn_traffic, rollouts
from kdp.experiments.histogram import quantiles
from kdp.experiments.svg_chart import step_chart


def shop(**options: Any) -> kdp.Cluster:
    return kdp.Cluster(
        [
            kdp.Deployment("web", replicas=4, labels={"app": "web"}, ports=[8080]),
            kdp.Service("web", selector={"app": "web"}, ports=[80]),
            kdp.Pod("client"),
        ],
        **options,
    )


def rolled(**options: Any) -> ChurnResult:
    return churn(
        shop(**options),
        do=[kdp.rollout("deploy/web", image="web:2", at="2s")],
        traffic=Traffic(to="web:80", rate=100, hold="1s"),
        until="15s",
    )


def test_a_late_node_refuses_and_the_run_says_why() -> None:
    late = rolled(latency={"slice->node": "800ms"})
    assert late.total("refused") > 10
    assert "SIGTERM" in late.why("refused")
    assert "node node-1" in late.why("refused")
    assert late.why("timed_out") == "timed_out: never\n"
    assert rolled().total("refused") == 0


def test_a_replaced_pod_costs_as_many_writes_as_the_published_controllers_make() -> None:
    # Source: tests/cases/endpoints/churn_reference.json: 5 writes of slices and 3 of Endpoints for each Pod.
    work = rolled().work
    assert (work["slice_writes"], work["endpoints_writes"]) == (4 * 5, 4 * 3)
    assert work["slice_watch_events"] == 4 * 5 * 2


def test_the_same_seed_is_the_same_report_and_evaluators_agree() -> None:
    reports = [str(rolled(seed=7, evaluator=each)) for each in ("indexed", "scan", "indexed")]
    assert len(set(reports)) == 1
    assert str(rolled(seed=8)) != reports[0]


def test_nobody_listens_when_all_pods_are_gone() -> None:
    run = churn(
        shop(),
        do=[kdp.scale("deploy/web", 0, at="1s"), kdp.scale("deploy/web", 4, at="5s")],
        traffic=Traffic(to="web:80", clients=2, hold="200ms"),
        until="20s",
    )
    assert run.total("refused") > 0
    assert "no endpoint" in run.why("rejected")
    assert run.seconds[-1]["opened"] > 0, "and they are back"


def test_a_selector_that_matches_others_sends_to_the_wrong_pods() -> None:
    cluster = shop(latency={"slice->node": "2s"})
    cluster.put(kdp.Deployment("api", replicas=2, labels={"app": "api"}, ports=[8080]))
    run = churn(
        cluster,
        do=[kdp.select("svc/web", {"app": "api"}, at="10s")],
        traffic=Traffic(to="web:80", rate=50, source="client", begin="10s"),
        until="14s",
    )
    assert run.total("wrong") > 50, "for two seconds the rules know the old selector's Pods"
    assert "does not select" in run.why("wrong")


def test_udp_flows_stay_with_a_pod_that_is_gone() -> None:
    run = churn(
        shop(),
        do=[kdp.rollout("deploy/web", image="web:2", at="2s")],
        traffic=Traffic(to="web:80", protocol="udp", rate=2, hold="20s", interval="500ms"),
        until="15s",
    )
    assert run.total("opened") == 0, "the Service has no UDP port: nobody answers"
    assert run.total("unanswered") > 0


def test_the_table_the_data_and_the_picture(tmp_path: Path) -> None:
    run = rolled(latency={"slice->node": "800ms"})
    assert len(run.table("5s").splitlines()) == 1 + 4
    data = run.to_json()
    assert data["kind"] == "ChurnResult"
    assert data["totals"]["refused"] == run.total("refused")
    assert run.to_csv_text().splitlines()[0].startswith("second,opened,")
    run.plot(tmp_path / "run.svg")
    first = (tmp_path / "run.svg").read_text()
    assert "refused</text>" in first
    run.plot(tmp_path / "run.svg")
    assert (tmp_path / "run.svg").read_text() == first
    assert 0.5 < run.fairness <= 1


def test_a_large_cluster_is_rolled_out_in_turn() -> None:
    cluster = kdp.Cluster.from_sources(churn_sources(20, 3, 2), {"seed": 7})
    do = rollouts(20, 3, rate=100, seconds=5, seed=7)
    run = churn(cluster, do=do, traffic=churn_traffic(20, 50), until=8)
    assert len(do) == 100 * 5 // 21
    assert run.total("opened") == 401
    assert run.total("slice_writes") > 5 * len({str(each["rollout"]) for each in do})


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ({"do": [kdp.rollout("deploy/wep")]}, "no-such-object", "web"),
        ({"do": [kdp.drain("node-9")]}, "no-such-object", "node-9"),
        ({"until": "soon"}, "time-invalid", "90s"),
        ({"traffic": Traffic(to="wep:80", rate=1)}, "no-such-object", "web"),
        ({"traffic": Traffic(to="web", rate=1)}, "argument-invalid", "NAME:PORT"),
        ({"traffic": Traffic(to="web:80")}, "argument-invalid", "one of the two"),
        ({"traffic": Traffic(to="web:80", rate=-1)}, "action-refused", "above 0"),
        ({"traffic": Traffic(to="web:80", rate=1, source="nobody")}, "no-such-object", "nobody"),
    ],
)
def test_bad_input_is_said_before_anything_happens(arguments: dict[str, Any], code: str, says: str) -> None:
    cluster = shop()
    with pytest.raises(kdp.KdpError, match=says) as caught:
        churn(cluster, **{"until": "1s", **arguments})
    assert caught.value.code == code
    assert cluster.now == 0


def test_a_picture_that_cannot_be_written_is_an_error_and_the_run_is_kept(tmp_path: Path) -> None:
    run = rolled()
    with pytest.raises(kdp.KdpError, match="cannot be written") as caught:
        run.plot(tmp_path / "no" / "run.svg")
    assert caught.value.code == "output-failed"
    with pytest.raises(kdp.UsageError, match="svg"):
        run.plot(tmp_path / "run.pdf")
    assert run.table()


def test_quantiles_are_bounds_of_buckets() -> None:
    text = 'm_bucket{le="0.5"} 50\nm_bucket{le="1"} 95\nm_bucket{le="+Inf"} 100\n'
    assert quantiles([text, text], "m") == {"50 %": 0.5, "90 %": 1.0, "99 %": float("inf")}
    assert quantiles([""], "m") == {}


def test_a_chart_of_nothing_is_a_chart() -> None:
    assert step_chart([], {}, x_title="x", y_title="y").endswith("</svg>\n")
