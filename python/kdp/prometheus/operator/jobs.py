"""The configuration that the operator writes: a scrape job for each endpoint of each monitor, and the global block.

Source: prometheus-operator 0.93.0, pkg/prometheus/promcfg.go, generateServiceMonitorConfig, generatePodMonitorConfig,
buildGlobalConfig, generateAdditionalScrapeConfigs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from kdp import _core
from kdp.errors import UnsupportedError, ValidationError
from kdp.prometheus import selectors
from kdp.prometheus.operator.checks import endpoints_of, relabel_faults
from kdp.prometheus.operator.credentials import http_options
from kdp.prometheus.operator.limits import global_limits, job_limits
from kdp.prometheus.operator.rules import endpoint_rules, service_rules, sharding, user_rules
from kdp.prometheus.world import Json, World, full_name, meta, reference

__all__ = [
    "additional_jobs",
    "enforced_rules",
    "global_block",
    "monitor_jobs",
    "namespaces_of_monitor",
    "scrape_class_of",
    "shards_of",
]

Config = dict[str, Any]
GROUP = "monitoring.coreos.com"
RESOURCES = {"ServiceMonitor": "servicemonitors", "PodMonitor": "podmonitors"}
ESCAPING = {"AllowUTF8": "allow-utf-8", "Underscores": "underscores", "Dots": "dots", "Values": "values"}
VERSION_MIN = (3, 9)


def monitor_jobs(world: World, prometheus: Json, monitor: Json) -> Iterator[tuple[str, Config]]:
    """Give name and configuration of the jobs of one monitor."""
    _check_prometheus(prometheus)
    prefix = "serviceMonitor" if monitor["kind"] == "ServiceMonitor" else "podMonitor"
    for index, endpoint in enumerate(endpoints_of(monitor)):
        yield f"{prefix}/{full_name(monitor)}/{index}", _job(world, prometheus, monitor, endpoint)


def _job(world: World, prometheus: Json, monitor: Json, endpoint: Json) -> Config:
    spec, outer = monitor.get("spec") or {}, prometheus.get("spec") or {}
    scrape_class = scrape_class_of(prometheus, monitor)
    honor = bool(endpoint.get("honorLabels")) and not outer.get("overrideHonorLabels")
    job: Config = {"honor_labels": honor, **_timestamps(endpoint, outer)}
    job["kubernetes_sd_configs"] = [_discovery(prometheus, monitor, scrape_class)]
    for field, key in (
        ("interval", "scrape_interval"),
        ("scrapeTimeout", "scrape_timeout"),
        ("path", "metrics_path"),
    ):
        if endpoint.get(field):
            job[key] = endpoint[field]
    if endpoint.get("params") is not None:
        job["params"] = endpoint["params"]
    if endpoint.get("scheme") is not None:
        job["scheme"] = str(endpoint["scheme"]).lower()
    job |= http_options(world, str(meta(monitor).get("namespace") or ""), endpoint, scrape_class)
    job["relabel_configs"] = _rules(prometheus, monitor, endpoint, scrape_class)
    job |= job_limits(spec, outer) | _protocols(spec, scrape_class)
    enforced = enforced_rules(prometheus, monitor)
    metrics = [
        *(scrape_class.get("metricRelabelings") or ()),
        *(endpoint.get("metricRelabelings") or ()),
        *enforced,
    ]
    if metrics:
        job["metric_relabel_configs"] = user_rules(metrics)
    return job


def _timestamps(endpoint: Json, outer: Json) -> Config:
    found, override = {}, bool(outer.get("overrideHonorTimestamps"))
    if endpoint.get("honorTimestamps") is not None or override:
        found["honor_timestamps"] = bool(endpoint.get("honorTimestamps")) and not override
    if endpoint.get("trackTimestampsStaleness") is not None:
        found["track_timestamps_staleness"] = endpoint["trackTimestampsStaleness"]
    return found


def _role(prometheus: Json, monitor: Json) -> str:
    if monitor["kind"] == "PodMonitor":
        return "pod"
    own = (monitor.get("spec") or {}).get("serviceDiscoveryRole")
    chosen = own if own is not None else (prometheus.get("spec") or {}).get("serviceDiscoveryRole")
    return "endpointslice" if chosen == "EndpointSlice" else "endpoints"


def _discovery(prometheus: Json, monitor: Json, scrape_class: Json) -> Config:
    spec, role = monitor.get("spec") or {}, _role(prometheus, monitor)
    found: Config = {"role": role}
    names = namespaces_of_monitor(prometheus, monitor)
    if names:
        found["namespaces"] = {"names": names}
    attach = spec.get("attachMetadata")
    attach = scrape_class.get("attachMetadata") if attach is None else attach
    if attach is not None:
        found["attach_metadata"] = {"node": bool(attach.get("node"))}
    if spec.get("selectorMechanism") == "RoleSelector":
        roles = [role] if role == "pod" else [role, "service"]
        label = selectors.text(spec.get("selector") or {})
        found["selectors"] = [{"role": each, "label": label} for each in roles]
    return found


def namespaces_of_monitor(prometheus: Json, monitor: Json) -> list[str]:
    """Give the namespaces that a monitor looks into; none means all."""
    selector = (monitor.get("spec") or {}).get("namespaceSelector") or {}
    own = [str(meta(monitor).get("namespace") or "")]
    if (prometheus.get("spec") or {}).get("ignoreNamespaceSelectors"):
        return own
    if selector.get("any"):
        return []
    return list(selector.get("matchNames") or own)


def _rules(prometheus: Json, monitor: Json, endpoint: Json, scrape_class: Json) -> list[Config]:
    spec, outer = monitor.get("spec") or {}, prometheus.get("spec") or {}
    pod_labels = [*(spec.get("podTargetLabels") or ()), *(outer.get("podTargetLabels") or ())]
    if monitor["kind"] == "ServiceMonitor":
        rules = service_rules(monitor, endpoint, _role(prometheus, monitor), pod_labels)
    else:
        rules = endpoint_rules(monitor, endpoint, pod_labels)
    rules += user_rules(scrape_class.get("relabelings") or ())
    rules += user_rules([*(endpoint.get("relabelings") or ()), *enforced_rules(prometheus, monitor)])
    return rules + sharding(shards_of(prometheus))


def enforced_rules(prometheus: Json, monitor: Json) -> list[Config]:
    """Give the relabeling that enforces the monitor's namespace as a label."""
    spec = prometheus.get("spec") or {}
    namespace, name = str(meta(monitor).get("namespace") or ""), meta(monitor)["name"]
    for each in spec.get("excludedFromEnforcement") or ():
        same_kind = (each.get("group") or GROUP) == GROUP and each.get("resource") == RESOURCES[
            monitor["kind"]
        ]
        if same_kind and each.get("namespace") == namespace and (each.get("name") or name) == name:
            return []
    label = spec.get("enforcedNamespaceLabel")
    return [{"targetLabel": label, "replacement": namespace}] if label else []


def scrape_class_of(prometheus: Json, monitor: Json) -> Json:
    """Give the scrape class that a monitor names, or the default one, or nothing."""
    classes: Sequence[Json] = (prometheus.get("spec") or {}).get("scrapeClasses") or ()
    wanted = (monitor.get("spec") or {}).get("scrapeClass")
    named = next((each for each in classes if wanted is not None and each.get("name") == wanted), None)
    usual = next((each for each in classes if each.get("default")), {})
    return usual if named is None else named


def shards_of(prometheus: Json) -> int:
    """Give the number of shards, at least one."""
    return max(1, int((prometheus.get("spec") or {}).get("shards") or 1))


def _protocols(spec: Json, scrape_class: Json) -> Config:
    names = {
        "scrapeNativeHistograms": "scrape_native_histograms",
        "nativeHistogramBucketLimit": "native_histogram_bucket_limit",
        "scrapeClassicHistograms": "always_scrape_classic_histograms",
        "convertClassicHistogramsToNHCB": "convert_classic_histograms_to_nhcb",
    }
    found = {key: spec[field] for field, key in names.items() if spec.get(field) is not None}
    if spec.get("nativeHistogramMinBucketFactor") is not None:
        found["native_histogram_min_bucket_factor"] = float(spec["nativeHistogramMinBucketFactor"])
    if spec.get("scrapeProtocols"):
        found["scrape_protocols"] = list(spec["scrapeProtocols"])
    fallback = spec.get("fallbackScrapeProtocol")
    fallback = scrape_class.get("fallbackScrapeProtocol") if fallback is None else fallback
    return found | ({"fallback_scrape_protocol": fallback} if fallback is not None else {})


def global_block(prometheus: Json) -> Config:
    """Give the global block, without external labels."""
    spec = prometheus.get("spec") or {}
    found = {
        "scrape_interval": spec.get("scrapeInterval") or "30s",
        "evaluation_interval": spec.get("evaluationInterval") or "30s",
    }
    if spec.get("scrapeTimeout"):
        found["scrape_timeout"] = spec["scrapeTimeout"]
    if spec.get("scrapeProtocols"):
        found["scrape_protocols"] = list(spec["scrapeProtocols"])
    names = {
        "convertClassicHistogramsToNHCB": "convert_classic_histograms_to_nhcb",
        "scrapeClassicHistograms": "always_scrape_classic_histograms",
        "scrapeNativeHistograms": "scrape_native_histograms",
        "ruleQueryOffset": "rule_query_offset",
    }
    found |= {key: spec[field] for field, key in names.items() if spec.get(field) is not None}
    for field, key in (
        ("queryLogFile", "query_log_file"),
        ("scrapeFailureLogFile", "scrape_failure_log_file"),
    ):
        if spec.get(field):
            # A bare name is a file of the volume for logs. Source: prometheus-operator, common.go, logFilePath.
            found[key] = spec[field] if "/" in spec[field] else f"/var/log/prometheus/{spec[field]}"
    if spec.get("nameEscapingScheme") in ESCAPING:
        found["metric_name_escaping_scheme"] = ESCAPING[spec["nameEscapingScheme"]]
    if spec.get("nameValidationScheme"):
        found["metric_name_validation_scheme"] = str(spec["nameValidationScheme"]).lower()
    return found | global_limits(spec)


def additional_jobs(world: World, prometheus: Json) -> Iterator[tuple[str, Config]]:
    """Give the jobs of ``additionalScrapeConfigs``, sharded unless they hash themselves."""
    selector = (prometheus.get("spec") or {}).get("additionalScrapeConfigs")
    if not selector:
        return
    namespace = str(meta(prometheus).get("namespace") or "")
    text = world.value("Secret", namespace, str(selector.get("name")), str(selector.get("key")))
    if text is None and selector.get("optional"):
        return
    if text is None:
        raise ValidationError(
            "value-not-allowed",
            f"{reference(prometheus)} .spec.additionalScrapeConfigs: there is no key {selector.get('key')} in a Secret "
            f"{namespace}/{selector.get('name')}",
        )
    shards = shards_of(prometheus)
    for each in _parsed(text):
        job = dict(each)
        rules = list(job.get("relabel_configs") or ())
        if shards > 1:
            hashed = any(one.get("action") == "hashmod" for one in rules)
            job["relabel_configs"] = rules if hashed else rules + sharding(shards)
        yield str(job.pop("job_name")), job


def _parsed(text: str) -> Sequence[Json]:
    """Read YAML with the core's parser, which reads objects: the text becomes a field of one."""
    document = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: jobs, namespace: default}\njobs:\n"
    document += "".join(f"  {line}\n" for line in text.splitlines())
    cluster = _core.Cluster([("additionalScrapeConfigs", document.encode())], "{}")
    found: Sequence[Json] = json.loads(cluster.get("ConfigMap", "default", "jobs")).get("jobs") or ()
    return found


def _check_prometheus(prometheus: Json) -> None:
    """Stop at what changes the configuration and is not modelled, or would make the operator write none."""
    spec = prometheus.get("spec") or {}
    version = str(spec.get("version") or "v3.13.2").removeprefix("v").split(".")
    if tuple(int(part) for part in version[:2] if part.isdecimal()) < VERSION_MIN:
        raise UnsupportedError(
            "case-not-modelled",
            f"{reference(prometheus)} .spec.version: releases before 3.9 are not modelled",
        )
    for field in ("shardingStrategy", "shardRetentionPolicy"):
        if spec.get(field):
            raise UnsupportedError(
                "case-not-modelled", f"{reference(prometheus)} .spec.{field} is not modelled"
            )
    for index, each in enumerate(spec.get("scrapeClasses") or ()):
        for path, reason in relabel_faults(each.get("relabelings") or ()):
            raise ValidationError(
                "value-not-allowed",
                f"{reference(prometheus)} .spec.scrapeClasses[{index}].relabelings{path}: {reason}",
            )
