"""``kdp conntrack``: the conntrack tool over a box that a capture or packets went through."""

from __future__ import annotations

import click

from kdp.cli.boxes import BoxOptions, box_options

__all__ = ["command"]


@click.command(
    "conntrack", context_settings={"ignore_unknown_options": True}, options_metavar="[OPTIONS] [TOOL OPTIONS]"
)
@click.option("--replay", "capture", metavar="CAPTURE", help="A capture that goes through the box first.")
@click.option(
    "--packet", "packets", multiple=True, metavar="PACKET", help="A packet likewise (kdp packet --help)."
)
@click.option("--at", metavar="TIME", help="So much later, such as 30s: entries may have expired.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="")
@box_options(quiet=("--quiet",))
def command(
    box: BoxOptions,
    capture: str | None,
    packets: tuple[str, ...],
    at: str | None,
    arguments: tuple[str, ...],
) -> int:
    """Run conntrack -L, -D, -F… over the connections that a capture or packets leave behind.

    TOOL OPTIONS are the conntrack tool's own: -L, -D, -F, -C, -S; -p tcp, -s, -d, --dport…. -L is the default.

    \b
    kdp conntrack -L --replay in.pcap --rules node.save --host box.json
    kdp conntrack -L -p tcp --state ESTABLISHED --replay in.pcap --rules node.save --host box.json
    kdp conntrack -D -p udp --dport 53 --replay in.pcap --rules node.save --host box.json
    """  # noqa: D301 -- click keeps lines together after a backspace
    from kdp.packet_run import PacketRun
    from kdp.replay import Replay
    from kdp.sources import read_bytes

    file = read_bytes(capture) if capture else None
    host, _ = box.make()
    if file is not None:
        for _ in Replay(host, file, box.device).run():
            pass
    waits = [("--at", f"wait {at}")] if at else []
    for _ in PacketRun(host, box.device).run([*((f"--packet {text}", text) for text in packets), *waits]):
        pass
    found = host.conntrack_tool(*(arguments or ("-L",)))
    click.echo(found["text"], nl=bool(found["text"]) and not found["text"].endswith("\n"))
    if found["count"] is not None and found["text"]:
        said = "deleted" if {"-D", "--delete"} & set(arguments) else "shown"
        click.echo(f"{found['count']} flow entries have been {said}.", err=True)
    return int(found["rc"])
