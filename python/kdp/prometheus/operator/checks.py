"""The operator's validation: one bad endpoint refuses the whole monitor.

Source: prometheus-operator 0.93.0, pkg/prometheus/resource_selector.go, checkServiceMonitor, checkPodMonitor;
pkg/prometheus/validation/validator.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kdp.errors import ValidationError
from kdp.prometheus import selectors
from kdp.prometheus.duration import to_milliseconds
from kdp.prometheus.operator.credentials import faults_of_http
from kdp.prometheus.regex import BadPatternError, anchored
from kdp.prometheus.relabel import ACTIONS, WRITES
from kdp.prometheus.world import Json, World, meta

__all__ = ["Refusal", "endpoints_of", "refusal", "relabel_faults"]

FILES = ("caFile", "certFile", "keyFile")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a monitor is refused: the field, and a sentence."""

    field: str
    reason: str


def endpoints_field(monitor: Json) -> str:
    """Give the name of the list of endpoints."""
    return "endpoints" if monitor["kind"] == "ServiceMonitor" else "podMetricsEndpoints"


def endpoints_of(monitor: Json) -> list[Json]:
    """Give the endpoints as the API server keeps them: a PodMonitor's schema has no files of the Prometheus."""
    given = (monitor.get("spec") or {}).get(endpoints_field(monitor)) or ()
    if monitor["kind"] == "ServiceMonitor":
        return list(given)
    return [_without_files(each) for each in given]


def _without_files(endpoint: Json) -> Json:
    kept = {field: value for field, value in endpoint.items() if field != "bearerTokenFile"}
    if kept.get("tlsConfig"):
        kept["tlsConfig"] = {field: value for field, value in kept["tlsConfig"].items() if field not in FILES}
    return kept


def refusal(world: World, prometheus: Json, monitor: Json) -> Refusal | None:
    """Give the first reason to refuse a monitor, or None."""
    return next(_refusals(world, prometheus, monitor), None)


def _refusals(world: World, prometheus: Json, monitor: Json) -> Iterator[Refusal]:
    spec = monitor.get("spec") or {}
    path = selectors.fault(spec.get("selector"))
    if path is not None:
        yield Refusal(f"spec.selector.{path}", "the selector is not valid")
    field = endpoints_field(monitor)
    for index, endpoint in enumerate(endpoints_of(monitor)):
        for found in _endpoint_refusals(world, prometheus, monitor, endpoint):
            yield Refusal(f"spec.{field}[{index}].{found.field}", found.reason)
    classes = {each.get("name") for each in (prometheus.get("spec") or {}).get("scrapeClasses") or ()}
    wanted = spec.get("scrapeClass")
    if wanted and wanted not in classes:
        yield Refusal("spec.scrapeClass", f"the Prometheus has no scrape class {wanted}")


def _endpoint_refusals(world: World, prometheus: Json, monitor: Json, endpoint: Json) -> Iterator[Refusal]:
    spec = prometheus.get("spec") or {}
    if monitor["kind"] == "ServiceMonitor" and (spec.get("arbitraryFSAccessThroughSMs") or {}).get("deny"):
        yield from _file_refusals(endpoint)
    for field, reason in faults_of_http(world, str(meta(monitor).get("namespace") or ""), endpoint):
        yield Refusal(field, reason)
    yield from _time_refusals(endpoint, str(spec.get("scrapeInterval") or "30s"))
    for field in ("relabelings", "metricRelabelings"):
        for path, reason in relabel_faults(endpoint.get(field) or ()):
            yield Refusal(f"{field}{path}", reason)


def _file_refusals(endpoint: Json) -> Iterator[Refusal]:
    if endpoint.get("bearerTokenFile"):
        yield Refusal("bearerTokenFile", "the Prometheus forbids monitors to read its files")
    for field in FILES:
        if (endpoint.get("tlsConfig") or {}).get(field):
            yield Refusal(f"tlsConfig.{field}", "the Prometheus forbids monitors to read its files")


def _time_refusals(endpoint: Json, usual: str) -> Iterator[Refusal]:
    timeout, interval = endpoint.get("scrapeTimeout"), endpoint.get("interval") or usual
    if not timeout:
        return
    for field, value in (("interval", interval), ("scrapeTimeout", timeout)):
        try:
            to_milliseconds(str(value))
        except ValidationError as error:
            yield Refusal(field, str(error))
            return
    if to_milliseconds(str(timeout)) > to_milliseconds(str(interval)):
        yield Refusal("scrapeTimeout", f"the timeout {timeout} is greater than the interval {interval}")


def relabel_faults(rules: tuple[Json, ...] | list[Json]) -> Iterator[tuple[str, str]]:
    """Give path and reason of each rule that is not valid."""
    for index, each in enumerate(rules):
        for field, reason in _rule_faults(each):
            yield f"[{index}].{field}", reason


def _rule_faults(each: Json) -> Iterator[tuple[str, str]]:
    action = str(each.get("action") or "replace").lower()
    if action not in ACTIONS:
        yield "action", f"there is no action {action}"
    try:
        anchored(str(each.get("regex") or ""))
    except BadPatternError as error:
        yield "regex", str(error)
    if action == "hashmod" and not each.get("modulus"):
        yield "modulus", "hashmod needs a modulus above 0"
    if action in WRITES and not each.get("targetLabel"):
        yield "targetLabel", f"{action} needs a target label"
    if action == "labelmap" and each.get("replacement") == "":
        yield "replacement", "an empty text is no label name"
    yield from _surplus_faults(action, each)


def _surplus_faults(action: str, each: Json) -> Iterator[tuple[str, str]]:
    """Find fields that an action does not take."""
    usual = {"regex": "(.*)", "separator": ";", "replacement": "$1"}
    refused = {
        "lowercase": ("replacement",),
        "uppercase": ("replacement",),
        "keepequal": ("replacement", "regex", "modulus", "separator"),
        "dropequal": ("replacement", "regex", "modulus", "separator"),
        "labeldrop": ("sourceLabels", "targetLabel", "modulus", "separator", "replacement"),
        "labelkeep": ("sourceLabels", "targetLabel", "modulus", "separator", "replacement"),
    }.get(action, ())
    for field in refused:
        value = each.get(field)
        empty = value is None or (field not in ("separator", "replacement") and not value)
        if not empty and value != usual.get(field):
            yield field, f"{action} does not take this field"
