"""T-09: the probabilities of iptables mode, as a listing shows them and as the kernel keeps them."""

from __future__ import annotations

import itertools
import re

import kdp
from kdp.experiments.tables.table import Row, Table

__all__ = ["probabilities"]

PROBABILITY = re.compile(r"--probability ([0-9.]+)")
# The listing of the first of n rules. Source: kubernetes issues #37932 and #34321; PR #83599.
LISTED = ((2, "0.50000000000"), (3, "0.33333333349"), (4, "0.25000000000"), (5, "0.20000000019"))
REPEATS = ((5, 319), (10, 100_223))
BEYOND = 60


def probabilities() -> Table:
    """List the rules of Services with few endpoints, and look for neighbours that the kernel cannot tell apart."""
    table = Table(
        "T-09",
        "Probabilities of random choices in iptables mode",
        "kubernetes PR #83599, issues #37932 and #34321",
        notes=["kube-proxy wrote five decimals up to 1.16; those rules are loaded here as they were written"],
    )
    for endpoints, text in LISTED:
        table.rows.append(Row(f"{endpoints} endpoints", "first probability", text, _first(endpoints)))
    table.rows.append(
        Row("3 endpoints, 5 decimals", "first probability", "0.33332999982", _listed(["0.33333"])[0])
    )
    for decimals, published in REPEATS:
        written, kept = _repeats(decimals, published)
        table.rows.append(Row(f"{decimals} decimals", "first repeat at", published, written))
        if kept != written:
            table.notes.append(
                f"with {decimals} decimals the kernel, which keeps 31 bits, no longer tells neighbours apart from "
                f"{kept} endpoints on"
            )
    return table


def _first(endpoints: int) -> str:
    pods = [
        kdp.Pod(f"p{at}", labels={"app": "a"}, ip=f"10.0.1.{at + 1}", node="n1") for at in range(endpoints)
    ]
    cluster = kdp.Cluster([kdp.Service("a", selector={"app": "a"}, ports=[80]), *pods])
    found = PROBABILITY.search(cluster.rules())
    return found[1] if found else "none"


def _repeats(decimals: int, published: int) -> tuple[int | str, int | str]:
    """Find the least n for which n and n + 1 endpoints are alike: as rules are written, and as they are listed."""
    written = [f"{1 / number:.{decimals}f}" for number in range(2, published + BEYOND)]
    return _first_repeat(written), _first_repeat(_listed(written))


def _first_repeat(texts: list[str]) -> int | str:
    pairs = enumerate(itertools.pairwise(texts), 2)
    return next((number for number, (one, other) in pairs if one == other), "none")


def _listed(texts: list[str]) -> list[str]:
    """Load rules with these probabilities into a box, and list them."""
    rules = "\n".join(f"-A C -m statistic --mode random --probability {text} -j RETURN" for text in texts)
    host = kdp.Host({"devs": {"eth0": ["192.0.2.1/24"]}})
    host.load_rules(f"*nat\n:C - [0:0]\n{rules}\nCOMMIT\n")
    return PROBABILITY.findall(host.rules())
