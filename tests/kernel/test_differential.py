"""Random rules and random packets, through the kernel and through kdp: nothing may differ.

KDP_KERNEL_SECONDS (20) is the time that is spent, KDP_KERNEL_SEED (1) the first world's seed. A deviation is made
small and printed as a packet case. One that does not come again was a drawn port that met a named one by chance.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.kernel.differential import Trial
from tests.kernel.streams import random_stream
from tests.kernel.world import TOPOLOGY, random_world

if TYPE_CHECKING:
    from tests.kernel.judge import MakeJudge

PACKETS_OF_A_WORLD = 1500
NAMED = frozenset({9, 53, 54, 80, 81, 443, 2000, 2001, 5353, 8080, 40000, *range(30080, 30090)})


@dataclass
class Score:
    """What a run of many worlds came to."""

    worlds: int = 0
    packets: int = 0
    by_chance: list[str] = field(default_factory=list)
    deviations: list[dict[str, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        counts = (
            f"{self.packets} packets in {self.worlds} worlds: {len(self.deviations)} deviations from Linux"
        )
        return f"{counts} {os.uname().release}, {len(self.by_chance)} that did not come again"


def try_world(make_judge: MakeJudge, seed: int, score: Score) -> None:
    """One world: its rules, its stream, and a small case of what differs."""
    rng = random.Random(seed)  # noqa: S311 - it need not be secret
    world = random_world(rng)
    trial = Trial(TOPOLOGY, [("iptables", world.rules)], NAMED, make_judge)
    steps = random_stream(rng, world, PACKETS_OF_A_WORLD)
    found = trial.run(steps)
    score.worlds += 1
    score.packets += found.packets
    if found.at is None:
        return
    again = steps[: found.at + 1]
    if trial.run(again, seed=2).at is None:
        score.by_chance.append(f"  seed {seed}, not again: {found.differences[0]}")
        return
    small = trial.shrunk(again)
    trial = trial.with_fewer_rules(small)
    case = trial.as_case(f"differs-{seed}", small)
    score.deviations.append({"seed": seed, "differences": trial.run(small).differences, "case": case})


def test_a_planted_difference_is_found_and_made_small(judge: MakeJudge) -> None:
    """Kdp gets rules of which one drops what it should let through; two packets of a thousand tell it."""
    rng = random.Random(3)  # noqa: S311 - it need not be secret
    world = random_world(rng)
    assert "--ctstate INVALID -j DROP" not in world.rules, "this seed leaves the rule out"
    planted = "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP\n-A KUBE-FORWARD -m mark"

    def plant(rules: str) -> str:
        return rules.replace("-A KUBE-FORWARD -m mark", planted)

    trial = Trial(TOPOLOGY, [("iptables", world.rules)], NAMED, judge, plant)
    steps = random_stream(rng, world, 1000)
    found = trial.run(steps)
    assert found.at is not None
    small = trial.shrunk(steps[: found.at + 1], tries=40)
    assert len(small) <= 3
    assert any("drop" in difference for difference in trial.run(small).differences)


def test_no_packet_differs(judge: MakeJudge, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("KDP_KERNEL_SEED", "1"))
    end = time.monotonic() + float(os.environ.get("KDP_KERNEL_SECONDS", "20"))
    score = Score()
    while time.monotonic() < end and len(score.deviations) < 3:
        try_world(judge, seed + score.worlds, score)
    with capsys.disabled():
        sys.stdout.write("\n".join(["", str(score), *score.by_chance, ""]))
    if score.deviations:
        pytest.fail("\n".join(json.dumps(one) for one in score.deviations), pytrace=False)
