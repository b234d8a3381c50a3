"""The ``kdp`` command: finds its commands by name, imports one of them, and turns errors into lines and exit codes.

Exit codes: 0 fine, 1 error, 2 usage, 3 a finding under ``--exit-code``.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from kdp.arguments import nearest
from kdp.errors import KdpError, UsageError

__all__ = ["cli", "main"]

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

COMMANDS = {
    "get": "List objects in kubectl's own columns.",
    "describe": "Tell of objects at length, in kubectl's own text.",
    "explain": "Say why a Service or ServiceMonitor works or does not, with the nearest fix.",
    "trace": "Follow one connection, or explore all that can become of it.",
    "dns": "Ask cluster DNS as a Pod does.",
    "targets": "List what a Prometheus would scrape.",
    "rules": "Print the rules of a node.",
    "packet": "Send packets through one box with rules of your own.",
    "replay": "Send a capture (pcap, pcapng) through one box.",
    "conntrack": "List, delete or flush connections, as the conntrack tool does, after a replay.",
    "proxy": "Print what a kube-proxy says about itself: metrics, health.",
    "nodes": "Say what nodes do with connections to a Service: nodes matrix svc/NAME.",
    "compare": "Say what another mode of kube-proxy changes for connections.",
    "diff": "Say what other manifests change: endpoints, rules, who reaches whom.",
    "test": "Run case files and compare.",
    "churn": "Print each write of Endpoints and EndpointSlices that events cause.",
    "bench": "Measure: what new connections cost, and whom change hurts.",
    "serve": "Serve the cluster to kubectl, dig and other clients.",
    "tables": "Put published figures beside emulated ones.",
    "completion": "Print a completion script for bash, zsh or fish.",
    "version": "Print the version and the Kubernetes releases that are emulated.",
}
"""Name and summary, so that ``kdp --help`` imports no command."""


class LazyGroup(click.Group):
    """A group whose commands are modules of ``kdp.cli``, imported when one is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"kdp.cli.{cmd_name}").command
        assert isinstance(command, click.Command), f"kdp.cli.{cmd_name} has no command"
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = nearest(args[0], COMMANDS)
            hint = f"did you mean {near[0]}?" if near else f"commands: {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their summaries, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from kdp import _core

    click.echo(f"kdp {_core.__version__}")
    ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Objects come from -f: kdp get svc -A -f dump.yaml; from a pipe: kubectl get ... -o yaml | kdp ... -f -",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Print the version.",
)
def cli() -> None:
    """The Kubernetes Service dataplane without a cluster: from a manifest to a packet."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; without ``arguments`` this process's own, and then exit."""
    if arguments is None:
        gc.disable()  # a process of one command makes no cycles worth finding among a hundred thousand objects
    status = _run(sys.argv[1:] if arguments is None else list(arguments))
    if arguments is None:
        sys.exit(status)
    return status


def _run(arguments: list[str]) -> int:
    try:
        result = cli.main(args=arguments, prog_name="kdp", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        return _complain("usage", error.format_message(), EXIT_USAGE, _where(error))
    except KdpError as error:
        usage = isinstance(error, UsageError)
        return _complain(error.code, error.message, EXIT_USAGE if usage else EXIT_ERROR, None)
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except OSError as error:
        return _unwritten(error)
    return result if isinstance(result, int) else 0


def _unwritten(error: OSError) -> int:
    # Python must not complain again when it ends and flushes what is left.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return 0  # whoever reads has seen enough: `kdp rules | head`
    return _complain("output-failed", f"the output cannot be written: {error.strerror}", EXIT_ERROR, None)


def _where(error: click.ClickException) -> str | None:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"help: {context.command_path} --help" if context else None


def _complain(code: str, message: str, status: int, hint: str | None) -> int:
    click.echo(f"error[{code}]: {message}", err=True)
    if hint:
        click.echo(hint, err=True)
    return status
