"""``kdp version``."""

from __future__ import annotations

import json

import click

__all__ = ["command"]


@click.command("version")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(output: str) -> None:
    """Print the version and the Kubernetes releases that are emulated."""
    from kdp import _core
    from kdp.json_output import document

    releases = _core.releases()
    if output == "json":
        click.echo(
            json.dumps(document("Version", {"version": _core.__version__, "releases": releases}), indent=4)
        )
        return
    click.echo(f"kdp {_core.__version__}\nKubernetes {', '.join(releases)}")
