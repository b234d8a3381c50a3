"""``kdp replay``: a capture through one box with rules of one's own."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kdp.cli.boxes import BoxOptions, box_options
from kdp.errors import KdpError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kdp.replay import Replay

__all__ = ["command"]


@click.command("replay")
@click.argument("capture", metavar="CAPTURE")
@click.option(
    "--pcap-out",
    metavar="FILE",
    help="Write what leaves: pcap, or with a name that ends in .pcapng a pcapng file that says by which device.",
)
@click.option("-v", "--verbose", is_flag=True, help="Tell each packet's way through hooks and rules.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@box_options()
def command(box: BoxOptions, capture: str, pcap_out: str | None, verbose: bool, output: str) -> None:
    """Send the packets of CAPTURE (pcap or pcapng; - for standard input) through one box, at the times it has.

    Link types: Ethernet (VLAN tags are taken off), raw IP, Linux cooked (tcpdump -i any).

    \b
    kdp replay in.pcap --rules node.save --host box.json --in eth0
    kdp replay in.pcapng --rules node.save --host addr.json --host route.json -v
    kdp replay in.pcap --rules node.nft --host box.json --pcap-out out.pcapng
    """  # noqa: D301 -- click keeps lines together after a backspace
    from kdp.ansi import Paint
    from kdp.packet_text import passage_json, passage_text
    from kdp.replay import Replay
    from kdp.rule_files import RuleLines
    from kdp.sources import read_bytes

    file = read_bytes(capture)
    host, files = box.make()
    lines = RuleLines(files)
    replay = Replay(host, file, box.device)
    told: list[dict[str, Any]] = []
    for passage in replay.run(with_connection=verbose):
        if not verbose:
            continue
        if output == "json":
            told.append(passage_json(passage, lines))
        else:
            text = passage_text(passage, lines, Paint(on=box.colored))
            click.echo("\n".join(text) + "\n", color=box.colored)
    if pcap_out:
        _write(pcap_out, replay)
    if output == "json":
        from kdp.json_output import document

        content = _summary(replay) | ({"packets": told} if verbose else {})
        click.echo(json.dumps(document("Replay", content), indent=4, ensure_ascii=False))
    else:
        click.echo("\n".join(_summary_text(replay)))


def _write(path: str, replay: Replay) -> None:
    try:
        Path(path).write_bytes(replay.capture_out(pcapng=path.endswith(".pcapng")))
    except OSError as error:
        raise KdpError("output-failed", f"{path}: cannot be written: {error.strerror}") from None


def _summary(replay: Replay) -> dict[str, Any]:
    return {
        "verdicts": [
            {
                "verdict": verdict,
                "reason": reason or None,
                "packets": count,
                "bytes": replay.bytes_in[verdict, reason],
            }
            for (verdict, reason), count in sorted(replay.verdicts.items(), key=lambda item: -item[1])
        ],
        "left": dict(sorted(Counter(device for _, device, _ in replay.leaving).items())),
        "skipped": dict(Counter(each.why for each in replay.skipped)),
        "times_that_went_back": replay.clamped,
        "virtual_time_ns": replay.host.now,
        "conntrack": {"entries": len(replay.host.conntrack()), **replay.host.stats()},
    }


def _summary_text(replay: Replay) -> Iterator[str]:
    from kdp.table import table_text

    summary = _summary(replay)
    rows = [
        [each["verdict"], str(each["packets"]), str(each["bytes"]), each["reason"] or ""]
        for each in summary["verdicts"]
    ]
    rows += [["skipped", str(count), "", why] for why, count in summary["skipped"].items()]
    yield table_text(["VERDICT", "PACKETS", "BYTES", "REASON"], rows).rstrip("\n")
    left = ", ".join(f"{count} by {device}" for device, count in summary["left"].items())
    yield ""
    yield f"left: {left or 'nothing'}"
    counted = summary["conntrack"]
    extra = "".join(f", {count} {name}" for name, count in counted.items() if name != "entries" and count)
    yield f"connections: {counted['entries']} after {replay.host.now / 1e9:.6f} s{extra}"
    if replay.clamped:
        yield f"note: {replay.clamped} frames are older than the one before; they came in at its time"
