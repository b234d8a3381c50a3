"""``kdp bench``: measurements that say what they measured."""

from __future__ import annotations

import json
from typing import Any

import click

__all__ = ["command"]


class Sizes(click.ParamType[tuple[int, ...]]):
    """Sizes with commas: ``10,100,1000`` or ``1k,10k``."""

    name = "sizes"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Read the sizes."""
        if isinstance(value, tuple):
            return value
        try:
            sizes = tuple(_size(word) for word in str(value).lower().split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of sizes such as 10,100,1000 or 1k,10k", param, ctx)
        if min(sizes) < 1:
            self.fail(f"{value!r}: a size is 1 or more", param, ctx)
        return sizes


def _size(word: str) -> int:
    return int(word.removesuffix("k")) * 1000 if word.endswith("k") else int(word)


@click.group("bench")
def command() -> None:
    """Measure: what new connections cost, and whom change hurts."""


class Rate(click.ParamType[float]):
    """A rate: ``1000/s`` or ``1000``."""

    name = "rate"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the rate."""
        try:
            rate = float(str(value).removesuffix("/s"))
        except ValueError:
            self.fail(f"{value!r} is no rate such as 1000/s", param, ctx)
        if not 0 < rate <= 1e6:
            self.fail(f"{value!r}: a rate is above 0 and at most 1,000,000 a second", param, ctx)
        return rate


@command.command("churn")
@click.option("--services", type=Sizes(), default="1000", show_default=True, help="The number of Services.")
@click.option(
    "--endpoints",
    type=click.IntRange(1, 1000),
    metavar="NUMBER",
    default=10,
    show_default=True,
    help="Pods of each.",
)
@click.option(
    "--rate", type=Rate(), default="1000/s", show_default=True, help="Pod events a second, of rollouts."
)
@click.option(
    "--connections", type=Rate(), metavar="RATE", help="New connections a second (default: as --rate)."
)
@click.option("--until", metavar="TIME", default="60s", show_default=True, help="Virtual time that passes.")
@click.option(
    "--nodes",
    type=click.IntRange(1, 50),
    metavar="NUMBER",
    default=2,
    show_default=True,
    help="Nodes with Pods.",
)
@click.option(
    "--latency", metavar="TIME", default="0s", show_default=True, help="From a slice's write to the nodes."
)
@click.option("--mode", type=click.Choice(["iptables", "nftables"]), default="iptables", show_default=True)
@click.option(
    "--evaluator",
    type=click.Choice(["indexed", "scan", "both"]),
    default="indexed",
    show_default=True,
    help="How rules are walked; both: the same churn twice, side by side.",
)
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), metavar="NUMBER", default=1, show_default=True)
@click.option("--every", metavar="TIME", default="10s", show_default=True, help="The time of one row.")
@click.option("-o", "--output", type=click.Choice(["text", "json", "csv"]), default="text", show_default=True)
@click.option("--plot", metavar="FILE.svg", help="Draw connections by second.")
def churn_command(**options: Any) -> None:
    """Rollouts under load: who is hurt, and what it costs.

    The report is the same for the same seed; the time that it took is said on standard error.
    """
    from kdp.cli.bench_churn import run

    run(**options)


@command.command("scaling")
@click.option(
    "--services", type=Sizes(), default="10,100,1000,10000", show_default=True, help="Numbers of Services."
)
@click.option(
    "--endpoints",
    type=click.IntRange(1, 100),
    metavar="NUMBER",
    default=3,
    show_default=True,
    help="Endpoints of each.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 1000),
    metavar="NUMBER",
    default=5,
    show_default=True,
    help="Rounds that are timed.",
)
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), metavar="NUMBER", default=1, show_default=True)
@click.option("-o", "--output", type=click.Choice(["text", "json", "csv"]), default="text", show_default=True)
def scaling_command(services: tuple[int, ...], endpoints: int, rounds: int, seed: int, output: str) -> None:
    """Rules walked and time for each new connection: the linear chain against the index."""
    from kdp.experiments.scaling import scaling

    result = scaling(services=services, endpoints=endpoints, rounds=rounds, seed=seed)
    if output == "json":
        click.echo(json.dumps(result.to_json(), indent=4))
    else:
        click.echo(result.to_csv_text() if output == "csv" else str(result), nl=False)
