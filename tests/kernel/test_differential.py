"""Random rules and random packets, through the kernel and through kdp: nothing may differ.

Thirty worlds are tried, the same on every machine; with ``KDP_KERNEL_SECONDS`` as many as that time allows. With
``KDP_KERNEL_PACKETS`` so many IPv4 packets, and a fifth as many of IPv6, are compared instead, everything that the
generator can write must have been passed, and docs/drift.md is written. ``KDP_KERNEL_SEED`` (1) is the first world's
seed. A deviation is made small and written as a packet case into ``KDP_KERNEL_CASES`` (target/kernel-cases).
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kernel.campaign import Campaign
from tests.kernel.differential import Trial
from tests.kernel.drift import PAGE, page_of
from tests.kernel.streams import random_stream
from tests.kernel.world import random_world

if TYPE_CHECKING:
    from tests.kernel.judge import MakeJudge

_MOST_DEVIATIONS = 5
_WORLDS = 30


def test_a_planted_difference_is_found_and_made_small(judge: MakeJudge) -> None:
    """Kdp gets rules of which one drops what it should let through; a few packets of a thousand tell it."""
    rng = random.Random(3)  # noqa: S311 - it need not be secret
    world = random_world(rng, (4, "kube", "iptables"))
    planted = "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP\n-A KUBE-FORWARD -m mark"
    assert "--ctstate INVALID -j DROP" not in world.rules[0][1], "this seed leaves the rule out"

    def plant(rules: str) -> str:
        return rules.replace("-A KUBE-FORWARD -m mark", planted)

    trial = Trial(world.topology, world.rules, world.named, judge, plant)
    steps = random_stream(rng, world, 1000)
    found = trial.run(steps)
    assert found.at is not None
    small = trial.shrunk(steps[: found.at + 1], tries=40)
    assert len(small) <= 3
    assert any("drop" in difference for difference in trial.run(small).differences)


def test_no_packet_differs(judge: MakeJudge, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = int(os.environ.get("KDP_KERNEL_PACKETS", "0"))
    seconds = float(os.environ.get("KDP_KERNEL_SECONDS", "0"))
    end = time.monotonic() + seconds
    run = Campaign(judge, int(os.environ.get("KDP_KERNEL_SEED", "1")))

    def goes_on() -> bool:
        if wanted:
            return run.packets_of(4) < wanted or run.packets_of(6) < wanted / 5
        return time.monotonic() < end if seconds else run.worlds < _WORLDS

    while len(run.deviations) < _MOST_DEVIATIONS and goes_on():
        run.try_world()
    with capsys.disabled():
        sys.stdout.write("\n".join(["", str(run), *run.by_chance, ""]))
    if wanted:
        PAGE.write_text(page_of(run, f"make kernel packets={wanted}"))
        assert run.coverage.never() == [], "the run never passed these"
    if run.deviations:
        pytest.fail("\n".join(_written(one) for one in run.deviations), pytrace=False)


def _written(deviation: dict[str, object]) -> str:
    """Write the case of a deviation to a file, and say what differs and where the file is."""
    folder = Path(os.environ.get("KDP_KERNEL_CASES", "target/kernel-cases"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"differs-{deviation['seed']}.json"
    path.write_text(json.dumps(deviation["case"], indent=1))
    return f"{path}: {deviation['kind']}: {deviation['differences']}"
