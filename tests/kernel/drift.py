"""docs/drift.md: what a long run of random packets through the kernel and kdp came to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kernel.coverage import WANTED

if TYPE_CHECKING:
    from tests.kernel.campaign import Campaign

PAGE = Path(__file__).parents[2] / "docs" / "drift.md"
_TITLES = {
    "iptables": "Matches and targets of iptables and ip6tables",
    "nft": "Expressions and statements of nftables",
    "hooks": "Tables and chains at their hooks",
    "states": "States of packets and of connections",
}


def page_of(run: Campaign, command: str) -> str:
    """The page, in Markdown."""
    lines = [
        "# Drift",
        "",
        "Random rules, topologies, sysctls, packets and commands go through kdp and through the Linux kernel, and all",
        "that can be seen is compared: bytes, devices, verdicts, states, the table of connections, counters of rules.",
        "A run writes this page; `make kernel` runs a part of it in CI, with other seeds on request.",
        "",
        f"Kernel {run.release}. Command: `{command}`. First seed {run.seed}, {run.worlds} worlds.",
        "",
        "| family | rules | shape | packets | deviations |",
        "|---|---|---|---:|---:|",
        *(
            f"| IPv{family} | {tool} | {shape} | {count:,} | {run.deviations_of((family, shape, tool))} |"
            for (family, shape, tool), count in sorted(run.packets.items())
        ),
        f"| IPv4 | all | | {run.packets_of(4):,} | {run.deviations_of(4)} |",
        f"| IPv6 | all | | {run.packets_of(6):,} | {run.deviations_of(6)} |",
        "",
        f"Runs that said nothing, since a port that NAT drew was one that rules name, and were repeated: {run.again}.",
        "",
        "The run does not try what depends on the kernel's clock, on other processes, on unseen state: random choices",
        "other than NAT's, rates that it would use up, routing errors under IPv4's limit, and transport headers that",
        "are cut off ([`ipt-short-header`](deviations.md)).",
    ]
    for kind, names in WANTED.items():
        lines += ["", f"## {_TITLES[kind]}", "", *_table(kind, names, run)]
    return "\n".join([*lines, ""])


def _table(kind: str, names: Sequence[str], run: Campaign) -> list[str]:
    rows = [f"| `{name}` | {run.coverage.hits[kind][name]:,} |" for name in names]
    return ["| what | hits |", "|---|---:|", *rows]
