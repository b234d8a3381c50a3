"""``kdp bench``: measurements that say what they measured."""

from __future__ import annotations

import json

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
    """Measure: rules walked and time for each new connection."""


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
