"""``kdp serve``: the cluster behind an API server and a DNS server, for the clients that people already have."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kdp.cli.session import Session, cluster_options, mode_option
from kdp.errors import UsageError

if TYPE_CHECKING:
    from kdp.serve import Server

__all__ = ["command"]


@click.command("serve")
@click.argument("paths", nargs=-1, metavar="FILE|DIR...")
@click.option("--address", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The API's port (default: a free one)."
)
@click.option(
    "--dns-port", type=click.IntRange(0, 65535), default=0, help="The DNS server's (default: a free one)."
)
@click.option("--no-dns", is_flag=True, help="No DNS server.")
@click.option("--speed", default="1x", show_default=True, help="Virtual seconds in one: 10x.")
@click.option("--at", metavar="TIME", help="The moment at which it starts (default: now).")
@click.option(
    "--kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the kubeconfig (default: a new file).",
)
@mode_option
@cluster_options
def command(
    session: Session,
    paths: tuple[str, ...],
    address: str,
    port: int,
    dns_port: int,
    no_dns: bool,
    speed: str,
    at: str | None,
    kubeconfig: Path | None,
    mode: str,
) -> None:
    """Serve a cluster to kubectl, dig, Prometheus and the like, until Ctrl-C.

    \b
    kdp serve examples/mysql/
    kdp serve dump.yaml --port 8001 --speed 10x
    """  # noqa: D301 -- click keeps lines together after a backspace
    from kdp.serve import Server
    from kdp.serve.clock import parse_moment, parse_speed

    _check_address(address)
    cluster = session.with_files(paths).load(mode=mode)
    server = Server(
        cluster,
        address=address,
        port=port,
        dns_port=None if no_dns else dns_port,
        speed=parse_speed(speed),
        epoch=parse_moment(at) if at else None,
        release=session.k8s,
        namespace=session.namespace_or_default,
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(server, kubeconfig))


async def _run(server: Server, kubeconfig: Path | None) -> None:
    def ready() -> None:
        path = server.write_kubeconfig(kubeconfig)
        dns = f", DNS {server.address}:{server.dns_port}" if server.dns_port is not None else ""
        click.echo(f"export KUBECONFIG={path}")
        click.echo(f"# API {server.url}{dns}; Ctrl-C ends it")

    task = asyncio.ensure_future(server.run(ready))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _check_address(address: str) -> None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise UsageError("argument-invalid", f"--address: {address!r} is no IP address") from None
    if not parsed.is_loopback:
        message = f"warning: {address} is not loopback: whoever reaches it can change this cluster"
        click.secho(message, fg="yellow", err=True)
