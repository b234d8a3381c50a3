"""What every command shares: the options that say which objects, and how to print."""

from __future__ import annotations

import dataclasses
import functools
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from kdp.cli.proxy_options import chosen_proxy_options
from kdp.errors import UsageError

if TYPE_CHECKING:
    from kdp.cluster import Cluster

__all__ = ["Session", "cluster_options", "mode_option"]

P = ParamSpec("P")
R = TypeVar("R")
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

NO_OBJECTS = (
    "no objects: give them with -f FILE, -f FOLDER (-R for its folders too) or -f - for standard input, "
    "for example: kubectl get all,endpoints,endpointslices,nodes -A -o yaml | kdp get svc -A -f -"
)


@dataclass(frozen=True)
class Session:
    """The options of one run."""

    files: tuple[str, ...]
    recursive: bool
    namespace: str | None
    seed: int
    k8s: str | None
    cluster_cidr: str | None
    color: str
    quiet: bool

    @property
    def namespace_or_default(self) -> str:
        """The namespace that a name without one means."""
        return self.namespace or "default"

    @property
    def colored(self) -> bool:
        """Whether standard output takes colour.

        ``--color`` decides; then ``NO_COLOR`` and ``CLICOLOR_FORCE`` (no-color.org, bixense.com/clicolors); then
        whether it is a terminal.
        """
        if self.color != "auto":
            return self.color == "always"
        if os.environ.get("NO_COLOR"):
            return False
        if os.environ.get("CLICOLOR_FORCE", "0") != "0":
            return True
        return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def width(self) -> int:
        """How many columns text may have: the terminal's, 100 where there is none."""
        return max(60, os.get_terminal_size().columns) if sys.stdout.isatty() else 100

    def with_files(self, more: Sequence[str]) -> Session:
        """Add files that were given as arguments."""
        return dataclasses.replace(self, files=(*self.files, *more))

    def load(self, **options: Any) -> Cluster:
        """Load the cluster, and say once on standard error what loading had to say."""
        cluster, _ = self.load_with_sources(**options)
        return cluster

    def load_with_sources(self, **options: Any) -> tuple[Cluster, Sequence[tuple[str, bytes]]]:
        """Load the cluster, and give the bytes it came from too."""
        if not self.files:
            raise UsageError("no-objects", NO_OBJECTS)
        sources = self.read(self.files)
        return self.make(sources, **options), sources

    def read(self, paths: Sequence[str]) -> Sequence[tuple[str, bytes]]:
        """Read files and folders."""
        from kdp.sources import from_paths

        return from_paths(paths, recursive=self.recursive)

    def make(self, sources: Sequence[tuple[str, bytes]], **options: Any) -> Cluster:
        """Load a cluster from what was read; commands that compare make two."""
        from kdp.cli.progress import loading
        from kdp.cluster import Cluster

        given = {"k8s": self.k8s, "cluster_cidr": self.cluster_cidr, **chosen_proxy_options(), **options}
        chosen = {
            "seed": self.seed,
            **{key: value for key, value in given.items() if value not in (None, "")},
        }
        with loading(sum(len(data) for _, data in sources), quiet=self.quiet):
            cluster = Cluster.from_sources(sources, chosen)
        if not self.quiet:
            for note in cluster.notes:
                click.echo(f"note: {note}", err=True)
        return cluster


def mode_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--mode``: the way in which kube-proxy runs; ``None`` where nobody said."""
    modes = click.Choice(["iptables", "nftables"])
    return click.option(
        "--mode", type=modes, help="The mode of kube-proxy (default: iptables, or what --proxy-config says)."
    )(command)


def _options() -> list[Decorator]:
    return [
        click.option(
            "-f",
            "--filename",
            "files",
            multiple=True,
            metavar="FILE|DIR|-",
            help="Objects: a YAML or JSON file, a folder, or - for standard input. May be repeated.",
        ),
        click.option("-R", "--recursive", is_flag=True, help="Look into the folders of a folder too."),
        click.option("-n", "--namespace", metavar="NAME", help="The namespace (default: default)."),
        click.option(
            "--seed",
            type=click.IntRange(0, 2**64 - 1),
            metavar="NUMBER",
            default=1,
            show_default=True,
            help="Decides every random choice.",
        ),
        click.option("--k8s", metavar="RELEASE", help="The Kubernetes release to emulate, such as 1.33."),
        click.option(
            "--cluster-cidr",
            metavar="CIDR",
            help="kube-proxy's --cluster-cidr: where Pods are (default: what the Nodes' podCIDRs span).",
        ),
        click.option(
            "--color",
            type=click.Choice(["auto", "always", "never"]),
            default="auto",
            show_default=True,
            help="Colour; NO_COLOR switches it off too.",
        ),
        click.option("-q", "--quiet", is_flag=True, help="No notes on standard error."),
    ]


def cluster_options(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command the shared options, as one ``session`` argument."""

    @functools.wraps(function)
    def command(
        *,
        files: tuple[str, ...],
        recursive: bool,
        namespace: str | None,
        seed: int,
        k8s: str | None,
        cluster_cidr: str | None,
        color: str,
        quiet: bool,
        **rest: Any,
    ) -> R:
        session = Session(files, recursive, namespace, seed, k8s, cluster_cidr, color, quiet)
        return function(session, **rest)

    wrapped: Callable[..., R] = command
    for option in reversed(_options()):
        wrapped = option(wrapped)
    return wrapped
