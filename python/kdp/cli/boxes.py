"""What commands about one box share: the options that describe it, and how to print."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kdp.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kdp.host import Host
    from kdp.rule_files import RuleFile

__all__ = ["BoxOptions", "box_options"]

R = TypeVar("R")


@dataclass(frozen=True)
class BoxOptions:
    """The options of one run."""

    rules: tuple[str, ...]
    descriptions: tuple[str, ...]
    device: str | None
    seed: int
    color: str
    quiet: bool

    @property
    def colored(self) -> bool:
        """Whether standard output takes colour."""
        return Session((), False, None, 1, None, None, self.color, self.quiet).colored

    def make(self) -> tuple[Host, list[RuleFile]]:
        """Make the box with its rules, and say once on standard error what its description had to say."""
        from kdp.box import read_box
        from kdp.rule_files import load_rule_files, read_rule_files
        from kdp.sources import from_paths

        box = read_box(from_paths(self.descriptions))
        host = box.host(seed=self.seed)
        files = read_rule_files(from_paths(self.rules))
        load_rule_files(host, files)
        if self.device is not None and self.device not in host.devices:
            raise click.UsageError(f"--in {self.device}: the box has {', '.join(host.devices)}")
        if not self.quiet:
            for note in box.notes:
                click.echo(f"note: {note}", err=True)
        return host, files


def box_options(
    *, quiet: Sequence[str] = ("-q", "--quiet")
) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Give a command the options that describe a box, as one ``box`` argument.

    ``quiet``: the names of the option that leaves notes out; a tool whose options the command takes may have a ``-q``.
    """
    names = quiet

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        wrapped: Callable[..., R] = _with_box(function)
        for option in reversed(_options(names)):
            wrapped = option(wrapped)
        return wrapped

    return decorate


def _with_box(function: Callable[..., R]) -> Callable[..., R]:
    @functools.wraps(function)
    def command(
        *,
        rules: tuple[str, ...],
        descriptions: tuple[str, ...],
        device: str | None,
        seed: int,
        color: str,
        quiet: bool,
        **rest: Any,
    ) -> R:
        return function(BoxOptions(rules, descriptions, device, seed, color, quiet), **rest)

    return command


def _options(quiet: Sequence[str]) -> list[Callable[[Callable[..., Any]], Callable[..., Any]]]:
    return [
        click.option(
            "--rules",
            multiple=True,
            metavar="FILE",
            help="Rules: what iptables-save, ip6tables-save, nft list ruleset or ipset save prints. May be repeated.",
        ),
        click.option(
            "--host",
            "descriptions",
            multiple=True,
            metavar="FILE",
            help="The box: a topology or a packet case (JSON), or what ip -j addr, ip -j route, ip -j rule or "
            "sysctl -a prints. May be repeated.",
        ),
        click.option(
            "--in",
            "device",
            metavar="DEVICE",
            help="Where packets come in (default: by the way back to their source).",
        ),
        click.option(
            "--seed",
            type=click.IntRange(0, 2**64 - 1),
            metavar="NUMBER",
            default=1,
            show_default=True,
            help="Decides every random choice.",
        ),
        click.option(
            "--color",
            type=click.Choice(["auto", "always", "never"]),
            default="auto",
            show_default=True,
            help="Colour; NO_COLOR switches it off too.",
        ),
        click.option(*quiet, "quiet", is_flag=True, help="No notes on standard error."),
    ]
