"""``kdp packet``: packets through one box with rules of one's own, each step told."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from kdp.cli.boxes import BoxOptions, box_options
from kdp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["command"]

EXIT_FINDING = 3
WENT_ON = ("forward", "local", "local+out")


@click.command("packet")
@click.argument("packets", nargs=-1, metavar="[PACKET]...")
@click.option(
    "-o", "--output", type=click.Choice(["text", "wide", "json"]), default="text", show_default=True
)
@click.option("--exit-code", is_flag=True, help="Exit with 3 where a packet is not forwarded or delivered.")
@box_options()
def command(box: BoxOptions, packets: tuple[str, ...], output: str, exit_code: bool) -> int:
    """Send packets through one box: the verdict, what comes out, each hook and rule, the connection.

    A PACKET is a line such as "tcp 10.0.0.9:40000 > 10.96.0.10:80 S"; without one, or with -, lines come from standard
    input. Several are sent in order: "reply 1 S." answers what packet 1 sent out, "wait 5s" lets time pass.

    \b
    kdp packet --rules node.save --host box.json --in eth0 'tcp 10.0.0.9:40000 > 10.96.0.10:80 S'
    kdp packet --rules node.save --host addr.json --host route.json 'eth0: udp 10.0.0.9:53 > 10.0.0.1:53 len 20'
    kdp packet --rules node.nft --host box.json - < packets.txt
    """  # noqa: D301 -- click keeps lines together after a backspace
    from kdp.ansi import Paint
    from kdp.packet_run import PacketRun
    from kdp.packet_text import passage_json, passage_text
    from kdp.rule_files import RuleLines

    host, files = box.make()
    lines = RuleLines(files)
    passages = PacketRun(host, box.device).run(_lines(packets))
    missed, told = False, []
    for passage in passages:
        missed = missed or passage.result.verdict not in WENT_ON
        if output == "json":
            told.append(passage_json(passage, lines))
        else:
            text = passage_text(passage, lines, Paint(on=box.colored), wide=output == "wide")
            blank = "\n" if passage.number > 1 else ""
            click.echo(blank + "\n".join(text), color=box.colored)
    if output == "json":
        from kdp.json_output import document

        click.echo(json.dumps(document("PacketList", {"packets": told}), indent=4, ensure_ascii=False))
    return EXIT_FINDING if exit_code and missed else 0


def _lines(packets: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    if packets and packets != ("-",):
        return [(f"packet {number}", text) for number, text in enumerate(packets, 1)]
    if not packets and sys.stdin.isatty():
        raise UsageError(
            "argument-invalid", "no packet: write one, such as 'tcp 10.0.0.9:40000 > 10.96.0.10:80 S'"
        )
    return _from_input()


def _from_input() -> Iterator[tuple[str, str]]:
    for number, text in enumerate(sys.stdin, 1):
        yield f"line {number}", text.rstrip("\n")
