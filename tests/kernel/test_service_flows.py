"""Random Services in both modes and every release: new connections through a kernel with kdp's rules, and through kdp.

KDP_KERNEL_FLOWS (4000) is how many flows are sent; KDP_KERNEL_SEED (1) the first world's seed.
"""

from __future__ import annotations

import ipaddress
import os
import random
from typing import TYPE_CHECKING, Any

from kdp import _core
from kdp.conformance import render_rules, run_flows, wire

from tests.kernel.service_world import TOPOLOGY, flow, objects, proxy

if TYPE_CHECKING:
    from tests.kernel.judge import Judge, MakeJudge
    from tests.kernel.outcome import Outcome

FLOWS_OF_A_WORLD = 1000
SERVICES = 6


def first_packet(asked: dict[str, Any], sport: int) -> bytes:
    made = wire.tcp if asked["protocol"] == "TCP" else wire.udp
    return made(asked["from"], asked["to"], sport, asked["port"])


def ends(packet: bytes) -> tuple[str, str, int]:
    """Source, destination and destination port of what left."""
    if packet[0] >> 4 == 4:
        at, addresses = (packet[0] & 15) * 4, (packet[12:16], packet[16:20])
    else:
        at, addresses = 40, (packet[8:24], packet[24:40])
    source, to = (str(ipaddress.ip_address(address)) for address in addresses)
    return source, to, int.from_bytes(packet[at + 2 : at + 4], "big")


def difference(asked: dict[str, Any], expected: dict[str, Any], seen: Outcome) -> str | None:
    """What kdp says and the kernel does not do; ``None`` if there is nothing."""
    verdict = expected["verdict"]
    if verdict == "dnat":
        return translated_otherwise(asked, expected, seen)
    if verdict == "none" and seen.verdict == "forward":
        alike = ends(seen.outs[0][1])[:2] == (asked["from"], asked["to"])
    else:
        alike = seen.verdict == {"accept": "local", "none": "local"}.get(verdict, verdict)
    return None if alike else f"{verdict}, and the kernel: {seen.verdict}"


def translated_otherwise(asked: dict[str, Any], expected: dict[str, Any], seen: Outcome) -> str | None:
    """The same for a flow that goes to one of some backends."""
    if seen.verdict != "forward":
        return f"{expected}, and the kernel: {seen.verdict}"
    source, to, port = ends(seen.outs[0][1])
    backend = f"[{to}]:{port}" if ":" in to else f"{to}:{port}"
    masqueraded = source != asked["from"]
    # A table says whether any of its backends is masqueraded: one that would answer itself is, the others may not be.
    own = {each.rsplit(":", 1)[0].strip("[]") for each in expected["backends"]}
    unsaid = expected["masquerade"] and asked["from"] in own and to != asked["from"]
    if backend in expected["backends"] and (unsaid or masqueraded == expected["masquerade"]):
        return None
    return f"{expected}, and the kernel: {backend} from {source}"


def load(judge: Judge, rules: dict[str, str]) -> None:
    for tool, text in rules.items():
        if tool == "nft":
            judge.load_nft(text)
        else:
            judge.load_rules(text, tool=tool)


def try_world(make_judge: MakeJudge, seed: int, flows: int) -> list[str]:
    """One world: its rules in the kernel, its flows, and what differs."""
    rng = random.Random(seed)  # noqa: S311 - it need not be secret
    things, options = objects(rng, SERVICES), proxy(rng, _core.releases())
    judge = make_judge(TOPOLOGY)
    load(judge, render_rules(things, options))
    asked = [flow(rng, SERVICES) for _ in range(flows)]
    expected = run_flows({"objects": things, "proxy": options, "flows": [each for _, each in asked]})
    found = []
    for sport, ((device, each), wanted) in enumerate(zip(asked, expected, strict=True), start=2000):
        seen = judge.receive(device, first_packet(each, sport))
        if differs := difference(each, wanted, seen):
            found.append(f"seed {seed}, {options['mode']} {options['version']}: {each}: {differs}")
    judge.close()
    return found


def test_the_kernel_does_with_new_connections_what_kdp_says(judge: MakeJudge) -> None:
    left = int(os.environ.get("KDP_KERNEL_FLOWS", "4000"))
    seed = int(os.environ.get("KDP_KERNEL_SEED", "1"))
    found: list[str] = []
    while left > 0:
        flows = min(FLOWS_OF_A_WORLD, left)
        found += try_world(judge, seed, flows)
        left, seed = left - flows, seed + 1
    assert not found, f"{len(found)} flows differ:\n  " + "\n  ".join(found[:20])
