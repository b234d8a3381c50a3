"""A case's targets: the monitors that a Prometheus selects, their jobs, what these find and drop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kdp.errors import NotFoundError, UnsupportedError
from kdp.prometheus.operator.jobs import additional_jobs, global_block, monitor_jobs
from kdp.prometheus.operator.select import is_managed, select, stop_at_unmodelled
from kdp.prometheus.scrape import Job
from kdp.prometheus.world import Json, World, full_name, reference

__all__ = ["fill_in", "jobs_of", "prometheus_of", "run_targets"]

PLAIN_INTERVAL = {"scrape_interval": "30s"}


def run_targets(case: Json) -> dict[str, Any]:
    """Give managed, selected, global, jobs, targets and dropped, in the form of a case's expectation.

    Raises ``UnsupportedError`` (``case-not-modelled``) that names the kind, option or object that is not modelled.
    """
    kind = case.get("kind")
    if kind == "roles":
        world = World(case["objects"])
        jobs = {str(each["job_name"]): each for each in case["scrape_configs"]}
        return _found(world, jobs, PLAIN_INTERVAL)
    if kind in ("targets", "explain"):
        return _operated(case)
    raise UnsupportedError(
        "case-not-modelled", f"kdp.conformance.run_targets: cases of kind {kind!r} are not modelled"
    )


def prometheus_of(world: World, case: Json) -> Json:
    """Give the Prometheus object that a case asks."""
    namespace, _, name = case["scraper"]["prometheus"].partition("/")
    found = world.find("Prometheus", namespace, name)
    if found is None:
        raise NotFoundError("no-such-object", f"Prometheus {namespace}/{name} does not exist")
    return found


def jobs_of(world: World, prometheus: Json, shard: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give all jobs of a Prometheus: ServiceMonitors' by name, PodMonitors', then the additional ones."""
    stop_at_unmodelled(world, prometheus)
    for kind in ("ServiceMonitor", "PodMonitor"):
        for monitor in select(world, prometheus, kind).valid:
            for name, job in monitor_jobs(world, prometheus, monitor):
                yield name, fill_in(job, shard)
    for name, job in additional_jobs(world, prometheus):
        yield name, fill_in(job, shard)


def fill_in(value: Any, shard: int) -> Any:  # noqa: ANN401 - any JSON
    """Write the shard's number where a configuration says ``$(SHARD)``."""
    if isinstance(value, str):
        return value.replace("$(SHARD)", str(shard))
    if isinstance(value, Mapping):
        return {key: fill_in(inner, shard) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [fill_in(inner, shard) for inner in value]
    return value


def _operated(case: Json) -> dict[str, Any]:
    world = World(case["objects"])
    prometheus = prometheus_of(world, case)
    if not is_managed(prometheus):
        nothing: dict[str, Any] = {"serviceMonitors": [], "podMonitors": [], "rejected": []}
        return {"managed": False, "selected": nothing, "jobs": {}, "targets": [], "dropped": {}}
    services, pods = (select(world, prometheus, kind) for kind in ("ServiceMonitor", "PodMonitor"))
    jobs = dict(jobs_of(world, prometheus, int(case["scraper"].get("shard") or 0)))
    block = global_block(prometheus)
    return {
        "managed": True,
        "selected": {
            "serviceMonitors": [full_name(each) for each in services.valid],
            "podMonitors": [full_name(each) for each in pods.valid],
            "rejected": [
                {"monitor": reference(each), "reason": f"{why.field}: {why.reason}"}
                for each, why in (*services.rejected, *pods.rejected)
            ],
        },
        "global": block,
        "jobs": jobs,
        **_found(world, jobs, block),
    }


def _found(world: World, jobs: Mapping[str, Json], defaults: Json) -> dict[str, Any]:
    """Run the jobs. A target without a valid address is neither active nor dropped."""
    targets: list[dict[str, Any]] = []
    dropped: dict[str, dict[str, Any]] = {}
    for name, config in jobs.items():
        lost = []
        for each in Job(name, config, defaults).find(world):
            if each.dropped_by is not None:
                lost.append(each.discovered)
            elif each.target is not None:
                found = each.target
                targets.append(
                    {"job": name, "url": found.url, "labels": found.labels, "discovered": found.discovered}
                )
        dropped[name] = {"count": len(lost), "discovered": lost}
    return {"targets": targets, "dropped": dropped}
