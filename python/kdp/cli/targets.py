"""``kdp targets``: what a Prometheus would scrape."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click

from kdp.cli.session import Session, cluster_options

if TYPE_CHECKING:
    from kdp.prometheus.scraped import Scraped, ScrapedJob

__all__ = ["command"]

EXIT_FINDING = 3


@click.command("targets")
@click.argument("prometheus", required=False, metavar="[NAMESPACE/NAME]")
@click.option(
    "--annotations", is_flag=True, help="By the annotations prometheus.io/scrape, without an operator."
)
@click.option("--dropped", is_flag=True, help="Also what relabelling drops, with the rule that does.")
@click.option(
    "--shard",
    type=click.IntRange(0, 10_000),
    metavar="NUMBER",
    default=0,
    show_default=True,
    help="Which instance.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--exit-code", is_flag=True, help="Exit with 3 where a job has no target.")
@cluster_options
def command(
    session: Session,
    prometheus: str | None,
    annotations: bool,
    dropped: bool,
    shard: int,
    output: str,
    exit_code: bool,
) -> int:
    """List what a Prometheus scrapes: its monitors' jobs, discovered and relabelled.

    \b
    kdp targets -f dump.yaml                  # of the only Prometheus
    kdp targets monitoring/k8s --dropped -f dump.yaml
    kdp targets --annotations -f dump.yaml
    """  # noqa: D301 -- click keeps lines together after a backspace
    from kdp.prometheus.scraped import scraped, scraped_by_annotations

    if annotations and prometheus:
        raise click.UsageError("--annotations needs no Prometheus")
    cluster = session.load()
    found = scraped_by_annotations(cluster) if annotations else scraped(cluster, prometheus, shard=shard)
    if output == "json":
        click.echo(json.dumps(found.to_json(), indent=4, ensure_ascii=False))
    else:
        click.echo("".join(_parts(found, dropped=dropped)), nl=False)
    return EXIT_FINDING if exit_code and not (found.jobs and all(job.targets for job in found.jobs)) else 0


def _parts(found: Scraped, *, dropped: bool) -> Iterator[str]:
    number = sum(len(job.targets) for job in found.jobs)
    yield f"{found.scraper}: {_count(number, 'target')} in {_count(len(found.jobs), 'job')}\n"
    for job in found.jobs:
        yield f"\n{job.name}: {len(job.targets)} active, {len(job.dropped)} dropped\n"
        yield from _rows(job, dropped=dropped)


def _rows(job: ScrapedJob, *, dropped: bool) -> Iterator[str]:
    from kdp.table import table_text

    if job.targets:
        rows = [
            [each.url, ",".join(f"{key}={value}" for key, value in sorted(each.labels.items()))]
            for each in job.targets
        ]
        yield table_text(["URL", "LABELS"], rows)
    if dropped and job.dropped:
        lost = [[labels.get("__address__", ""), str(rule + 1), _what(labels)] for labels, rule in job.dropped]
        yield table_text(["DROPPED", "BY RULE", "OF"], lost)


def _what(labels: Mapping[str, str]) -> str:
    """Name the objects behind a target that was dropped."""
    prefix = "__meta_kubernetes_"
    names = (
        ("Service", "service_name"),
        ("Pod", "pod_name"),
        ("Node", "node_name"),
        ("Endpoints", "endpoints_name"),
    )
    found = [f"{kind} {labels[prefix + key]}" for kind, key in names if labels.get(prefix + key)]
    return f"{labels.get(prefix + 'namespace', '')}: {', '.join(found)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
