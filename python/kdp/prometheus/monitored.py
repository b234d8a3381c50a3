"""One ServiceMonitor under a Prometheus: the Services that it matches, and what becomes of their targets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from kdp.prometheus import relabel, selectors
from kdp.prometheus.discovery import META, object_labels
from kdp.prometheus.operator.jobs import enforced_rules, global_block, monitor_jobs, namespaces_of_monitor
from kdp.prometheus.operator.rules import selector_rules
from kdp.prometheus.scrape import Found, Job
from kdp.prometheus.targets import fill_in
from kdp.prometheus.world import Json, World, meta

__all__ = ["Monitored"]


class Monitored:
    """A monitor that a Prometheus selects and accepts."""

    def __init__(self, world: World, prometheus: Json, monitor: Json) -> None:
        self.world = world
        self.prometheus = prometheus
        self.monitor = monitor
        self.spec: Json = monitor.get("spec") or {}

    @cached_property
    def services(self) -> Sequence[Json]:
        """The Services that the monitor matches, in the namespaces that it looks into."""
        spaces = namespaces_of_monitor(self.prometheus, self.monitor)
        return [
            each
            for each in self.world.all("Service")
            if (not spaces or meta(each).get("namespace") in spaces) and self.selects(each)
        ]

    def selects(self, service: Json) -> bool:
        """Tell whether the selector matches a Service's labels, as relabelling compares them."""
        selector = self.spec.get("selector") or {}
        if self.spec.get("selectorMechanism") == "RoleSelector":
            return selectors.accepts(selector, meta(service).get("labels"))
        rules = [relabel.rule(each) for each in selector_rules(selector, "service")]
        return relabel.apply(rules, object_labels("service", service))[1] is None

    def pods_behind(self, service: Json) -> Sequence[Json]:
        """Give the Pods that a Service's own selector matches."""
        pairs = (service.get("spec") or {}).get("selector")
        return [
            each
            for each in self.world.all("Pod")
            if pairs
            and meta(each).get("namespace") == meta(service).get("namespace")
            and selectors.accepts({"matchLabels": pairs}, meta(each).get("labels"))
        ]

    def jobs(self) -> Sequence[Job]:
        """Give the jobs of the endpoints. Shards are looked at together: another one may have the target."""
        whole = {**self.prometheus, "spec": {**(self.prometheus.get("spec") or {}), "shards": 1}}
        block = global_block(self.prometheus)
        found = monitor_jobs(self.world, whole, self.monitor)
        return [Job(name, fill_in(config, 0), block) for name, config in found]

    def enforces_namespace(self) -> bool:
        """Tell whether the Prometheus adds a rule that enforces the monitor's namespace as a label."""
        return bool(enforced_rules(self.prometheus, self.monitor))

    def of_services(self, found: Sequence[Found]) -> Sequence[Found]:
        """Give what was found behind the Services that the monitor matches."""
        names = {(str(meta(each).get("namespace")), str(meta(each)["name"])) for each in self.services}
        return [
            each
            for each in found
            if (each.discovered.get(f"{META}namespace"), each.discovered.get(f"{META}service_name")) in names
        ]
