"""The parts: selectors, durations, limits, addresses, and what is not modelled."""

from __future__ import annotations

from typing import Any

import kdp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kdp import conformance
from kdp.prometheus import duration, selectors
from kdp.prometheus.operator.limits import global_limits, job_limits

KEYS = st.sampled_from(["app", "tier", "a.b/c"])
VALUES = st.sampled_from(["", "web", "db", "x-1"])
EXPRESSIONS = st.one_of(
    st.fixed_dictionaries(
        {
            "key": KEYS,
            "operator": st.sampled_from(["In", "NotIn"]),
            "values": st.lists(VALUES, min_size=1, unique=True),
        }
    ),
    st.fixed_dictionaries({"key": KEYS, "operator": st.sampled_from(["Exists", "DoesNotExist"])}),
)
SELECTORS = st.fixed_dictionaries(
    {"matchLabels": st.dictionaries(KEYS, VALUES), "matchExpressions": st.lists(EXPRESSIONS, max_size=3)}
)


@given(SELECTORS, st.dictionaries(KEYS, VALUES))
def test_a_selector_and_its_text_say_the_same(selector: dict[str, Any], labels: dict[str, str]) -> None:
    assert selectors.fault(selector) is None
    parsed = selectors.parse(selectors.text(selector))
    assert all(each.accepts(labels) for each in parsed) == selectors.accepts(selector, labels)


@given(SELECTORS, st.dictionaries(KEYS, VALUES))
def test_the_core_selects_the_same(selector: dict[str, Any], labels: dict[str, str]) -> None:
    row = {"kind": "string", "selector": selectors.text(selector), "labels": labels}
    result = conformance.run_selector(row)["result"]
    assert (result == "match") == selectors.accepts(selector, labels)


def test_null_selects_nothing_and_empty_everything() -> None:
    assert not selectors.accepts(None, {})
    assert selectors.accepts({}, {"a": "b"})


@given(st.integers(0, 10**12))
def test_a_duration_is_read_as_it_is_written(milliseconds: int) -> None:
    assert duration.to_milliseconds(duration.to_text(milliseconds)) == milliseconds


@pytest.mark.parametrize(
    ("text", "written"), [("90s", "1m30s"), ("60s", "1m"), ("24h", "1d"), ("36h", "36h")]
)
def test_durations_have_one_form(text: str, written: str) -> None:
    assert duration.to_text(duration.to_milliseconds(text)) == written


@pytest.mark.parametrize("text", ["", "30", "s", "1.5s", "30s ", "1s1m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(kdp.ValidationError):
        duration.to_milliseconds(text)


@pytest.mark.parametrize(
    ("own", "enforced", "in_job", "in_global"),
    [
        (None, None, None, None),
        (5, None, 5, None),
        (5, 9, 5, 9),
        (9, 5, 5, 5),
        (None, 5, None, 5),
        (0, 5, None, 5),
        (0, None, 0, None),
    ],
)
def test_the_lower_limit_holds(
    own: int | None, enforced: int | None, in_job: object, in_global: object
) -> None:
    outer = {"enforcedSampleLimit": enforced}
    assert job_limits({"sampleLimit": own}, outer).get("sample_limit") == in_job
    assert global_limits(outer).get("sample_limit") == in_global


def test_a_size_is_compared_in_bytes() -> None:
    outer = {"enforcedBodySizeLimit": "1GB"}
    assert job_limits({"bodySizeLimit": "500MB"}, outer) == {"body_size_limit": "500MB"}
    assert job_limits({"bodySizeLimit": "2GiB"}, outer) == {"body_size_limit": "1GB"}


POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "n"},
    "spec": {"containers": [{"name": "c"}]},
    "status": {"podIP": "fd00::1"},
}


def urls(**job: Any) -> list[str]:
    config = {"job_name": "j", "kubernetes_sd_configs": [{"role": "pod"}], **job}
    found = conformance.run_targets({"kind": "roles", "objects": [POD], "scrape_configs": [config]})
    return [each["url"] for each in found["targets"]]


def test_static_targets_stand_beside_discovered_ones() -> None:
    static = [{"targets": ["h:1", "h:2"], "labels": {"__metrics_path__": "/m"}}]
    assert urls(kubernetes_sd_configs=[], static_configs=static) == ["http://h:1/m", "http://h:2/m"]


def test_an_address_is_written_as_a_url() -> None:
    add_port = {"source_labels": ["__address__"], "target_label": "__address__", "replacement": "[$1]:80"}
    found = urls(relabel_configs=[add_port], metrics_path="a?b c", params={"x": ["1 2", "3"], "a": ["é"]})
    assert found == ["http://[fd00::1]:80/a%3Fb%20c?a=%C3%A9&x=1+2&x=3"]


def test_an_object_without_a_namespace_is_in_default() -> None:
    pod = {**POD, "metadata": {"name": "p"}}
    config = {
        "job_name": "j",
        "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": ["default"]}}],
    }
    found = conformance.run_targets({"kind": "roles", "objects": [pod], "scrape_configs": [config]})
    assert found["targets"][0]["discovered"]["__meta_kubernetes_namespace"] == "default"


@pytest.mark.parametrize("item", [{"kind": "Pod", "metadata": {}}, {"metadata": {"name": "x"}}, {}])
def test_an_object_without_kind_or_name_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises(kdp.ValidationError) as caught:
        conformance.run_targets({"kind": "roles", "objects": [item], "scrape_configs": []})
    assert caught.value.code == "field-missing"


@pytest.mark.parametrize(
    "rule",
    [
        {"target_label": "__address__", "replacement": ""},
        {"target_label": "__address__", "replacement": "a/b"},
        {"target_label": "__scrape_interval__", "replacement": "5s"},
        {"target_label": "__scrape_timeout__", "replacement": "x"},
    ],
)
def test_a_target_that_relabelling_spoils_is_none(rule: dict[str, str]) -> None:
    assert urls(relabel_configs=[rule]) == []


@pytest.mark.parametrize(
    ("job", "named"),
    [
        ({"http_sd_configs": []}, "http_sd_configs"),
        ({"kubernetes_sd_configs": [{"role": "gateway"}]}, "role 'gateway'"),
        ({"kubernetes_sd_configs": [{"role": "pod", "kubeconfig_file": "x"}]}, "kubeconfig_file"),
        (
            {"kubernetes_sd_configs": [{"role": "pod", "namespaces": {"own_namespace": True}}]},
            "own_namespace",
        ),
        (
            {"kubernetes_sd_configs": [{"role": "pod", "selectors": [{"role": "pod", "field": "spec.x=1"}]}]},
            "field spec.x",
        ),
    ],
)
def test_what_is_not_modelled_is_named(job: dict[str, Any], named: str) -> None:
    with pytest.raises(kdp.UnsupportedError, match=named) as caught:
        urls(**job)
    assert caught.value.code == "case-not-modelled"


def test_a_selected_probe_is_not_passed_over() -> None:
    objects = [
        {"kind": "Prometheus", "metadata": {"name": "k", "namespace": "n"}, "spec": {"probeSelector": {}}},
        {"kind": "Probe", "metadata": {"name": "q", "namespace": "n"}, "spec": {}},
    ]
    case = {"kind": "targets", "objects": objects, "scraper": {"prometheus": "n/k", "shard": 0}}
    with pytest.raises(kdp.UnsupportedError, match="Probe/n/q"):
        conformance.run_targets(case)


def test_a_prometheus_without_selectors_is_left_alone() -> None:
    objects = [{"kind": "Prometheus", "metadata": {"name": "k", "namespace": "n"}, "spec": {}}]
    case = {"kind": "targets", "objects": objects, "scraper": {"prometheus": "n/k", "shard": 0}}
    found = conformance.run_targets(case)
    assert (found["managed"], found["jobs"], found["targets"]) == (False, {}, [])


@pytest.mark.parametrize(
    ("kind", "field", "read"),
    [("ServiceMonitor", "endpoints", True), ("PodMonitor", "podMetricsEndpoints", False)],
)
def test_only_a_service_monitor_can_name_files(kind: str, field: str, read: bool) -> None:
    prometheus = {
        "kind": "Prometheus",
        "metadata": {"name": "k", "namespace": "n"},
        "spec": {
            "serviceMonitorSelector": {},
            "podMonitorSelector": {},
            "arbitraryFSAccessThroughSMs": {"deny": True},
        },
    }
    endpoint = {"port": "x", "tlsConfig": {"caFile": "/ca", "insecureSkipVerify": True}}
    monitor = {
        "kind": kind,
        "metadata": {"name": "m", "namespace": "n"},
        "spec": {"selector": {}, field: [endpoint]},
    }
    case = {"kind": "targets", "objects": [prometheus, monitor], "scraper": {"prometheus": "n/k", "shard": 0}}
    found = conformance.run_targets(case)
    assert [each["monitor"] for each in found["selected"]["rejected"]] == ([f"{kind}/n/m"] if read else [])
    assert [each["tls_config"] for each in found["jobs"].values()] == (
        [] if read else [{"insecure_skip_verify": True}]
    )
