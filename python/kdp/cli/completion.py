"""``kdp completion``: click's own completion scripts."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["command"]

HOW = {
    "bash": "source <(kdp completion bash)      # in ~/.bashrc",
    "zsh": "source <(kdp completion zsh)       # in ~/.zshrc",
    "fish": "kdp completion fish | source       # in ~/.config/fish/config.fish",
}


@click.command("completion", epilog="  ".join(HOW.values()))
@click.argument("shell", type=click.Choice(list(HOW)))
def command(shell: str) -> None:
    """Print a completion script for bash, zsh or fish."""
    from kdp.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None, f"click completes {shell}"
    click.echo(f"# {HOW[shell]}")
    click.echo(kind(cli, {}, "kdp", "_KDP_COMPLETE").source())
