"""What a Prometheus would scrape of a cluster, job by job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kdp.errors import NotFoundError, UsageError
from kdp.json_output import document
from kdp.kinds import split_reference
from kdp.prometheus.annotations import classic_jobs
from kdp.prometheus.cluster_world import world_of
from kdp.prometheus.operator.jobs import global_block
from kdp.prometheus.operator.select import is_managed
from kdp.prometheus.scrape import Job, Target
from kdp.prometheus.targets import jobs_of
from kdp.prometheus.world import Json, World, full_name

if TYPE_CHECKING:
    from kdp.cluster import Cluster

__all__ = ["Scraped", "ScrapedJob", "scraped", "scraped_by_annotations"]

# Source: Prometheus 3.14, config/config.go, DefaultGlobalConfig.
DEFAULTS = {"scrape_interval": "1m"}


@dataclass(frozen=True)
class ScrapedJob:
    """A job: what it scrapes, and the labels of what its rules drop, with the number of the rule."""

    name: str
    targets: list[Target] = field(default_factory=list)
    dropped: list[tuple[Mapping[str, str], int]] = field(default_factory=list)


@dataclass(frozen=True)
class Scraped:
    """What a scraper has: its name, and its jobs."""

    scraper: str
    jobs: Sequence[ScrapedJob]

    def to_json(self) -> dict[str, Any]:
        """Give it as data (docs/json-output.md)."""
        jobs = [
            {
                "job": job.name,
                "targets": [
                    {"url": each.url, "labels": dict(each.labels), "discovered": dict(each.discovered)}
                    for each in job.targets
                ],
                "dropped": [{"discovered": dict(labels), "rule": rule} for labels, rule in job.dropped],
            }
            for job in self.jobs
        ]
        return document("Targets", {"scraper": self.scraper, "jobs": jobs})


def scraped(cluster: Cluster, prometheus: str | None = None, *, shard: int = 0) -> Scraped:
    """Run the jobs that the operator writes for a Prometheus: the only one unless ``NAMESPACE/NAME`` is given."""
    world = world_of(cluster)
    chosen = _chosen(world, prometheus)
    jobs = jobs_of(world, chosen, shard) if is_managed(chosen) else ()
    return _run(world, f"Prometheus {full_name(chosen)}", jobs, global_block(chosen))


def scraped_by_annotations(cluster: Cluster) -> Scraped:
    """Run the classic jobs, which go by the annotations of Pods and Services."""
    return _run(world_of(cluster), "annotations prometheus.io/scrape", classic_jobs().items(), DEFAULTS)


def _chosen(world: World, name: str | None) -> Json:
    every = world.all("Prometheus")
    if name is not None:
        space, plain = split_reference(name)
        found = [each for each in every if full_name(each) == f"{space or 'default'}/{plain}"]
        if not found:
            there = ", ".join(full_name(each) for each in every) or "none"
            raise NotFoundError("no-such-object", f"Prometheus {name} does not exist; there is {there}")
        return found[0]
    if not every:
        raise NotFoundError(
            "no-such-object", "Prometheus: there is none among the objects; --annotations needs none"
        )
    if len(every) > 1:
        listed = ", ".join(full_name(each) for each in every)
        raise UsageError("name-ambiguous", f"Prometheus: there are {len(every)}: {listed}")
    return every[0]


def _run(world: World, scraper: str, jobs: Iterable[tuple[str, Json]], defaults: Json) -> Scraped:
    return Scraped(scraper, [_run_job(world, name, config, defaults) for name, config in jobs])


def _run_job(world: World, name: str, config: Json, defaults: Json) -> ScrapedJob:
    found = ScrapedJob(name)
    for each in Job(name, config, defaults).find(world):
        if each.target is not None:
            found.targets.append(each.target)
        elif each.dropped_by is not None:
            found.dropped.append((each.discovered, each.dropped_by))
    return found
