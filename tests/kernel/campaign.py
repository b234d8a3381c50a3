"""A campaign: world after world, each with a stream of packets, and what it all came to."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.kernel.coverage import Coverage
from tests.kernel.differential import Finding, Trial
from tests.kernel.streams import random_stream
from tests.kernel.world import KINDS, World, random_world

if TYPE_CHECKING:
    from tests.kernel.judge import MakeJudge

Kind = tuple[int, str, str]
PACKETS_OF_A_WORLD = 800
_TRIES = 4  # a world in which a drawn port met a named one is run again, with other draws
# The kernel's clock runs on while a busy machine keeps a world waiting, and its connections expire; kdp's time stands
# still. Such a run says nothing when it differs. On a quiet machine a world takes half a second.
_SLOW_SECONDS = 2.0
_SLEEPS_EVERY = 40  # worlds; one of them sleeps, for connections to expire


@dataclass
class Campaign:
    """What a run of many worlds came to. ``again``: runs that said nothing and were made again."""

    make_judge: MakeJudge
    seed: int
    worlds: int = 0
    again: int = 0
    packets: Counter[Kind] = field(default_factory=Counter)
    deviations: list[dict[str, Any]] = field(default_factory=list)
    by_chance: list[str] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Coverage)
    release: str = os.uname().release

    def packets_of(self, family: int) -> int:
        """Packets of a family that were compared."""
        return sum(count for (of, _, _), count in self.packets.items() if of == family)

    def deviations_of(self, what: Kind | int) -> int:
        """Deviations of a kind of world, or of a family."""
        return sum(what in (tuple(one["kind"]), one["kind"][0]) for one in self.deviations)

    def __str__(self) -> str:
        return (
            f"{self.packets_of(4):,} IPv4 and {self.packets_of(6):,} IPv6 packets in {self.worlds} worlds: "
            f"{len(self.deviations)} deviations from Linux {self.release}, {self.again} runs made again"
        )

    def next_kind(self) -> Kind:
        """IPv6 gets a fifth as many packets as IPv4; in a family each kind in turn."""
        family = 6 if self.packets_of(6) * 5 < self.packets_of(4) else 4
        kinds = [kind for kind in KINDS if kind[0] == family]
        return min(kinds, key=lambda kind: self.packets[kind])

    def try_world(self) -> None:
        """One world more: its rules, its stream, and a small case of what differs."""
        seed, kind = self.seed + self.worlds, self.next_kind()
        rng = random.Random(f"{seed} {kind}")  # noqa: S311 - it need not be secret
        world = random_world(rng, kind)
        sleeps = 5 if seed % _SLEEPS_EVERY == _SLEEPS_EVERY - 1 else 0
        steps = random_stream(rng, world, PACKETS_OF_A_WORLD, sleeps)
        trial = Trial(world.topology, world.rules, world.named, self.make_judge, holds=world.holds)
        self.worlds += 1
        found = self._settled(trial, steps)
        self.packets[kind] += found.packets
        self.coverage.take(found.listings, found.entries, found.states)
        if found.at is None:
            return
        if found.by_chance:
            self.by_chance.append(f"seed {seed} {kind}: {found.differences[0]}: {found.by_chance[0]}")
            return
        self.deviations.append(self._deviation(seed, kind, trial, steps, found))

    def _settled(self, trial: Trial, steps: list[dict[str, Any]]) -> Finding:
        """Run a world; again with other draws where a difference may come from the dice, or from a busy machine."""
        for found, seconds in self._runs(trial, steps):
            if found.at is None or (not found.by_chance and seconds < _SLOW_SECONDS):
                return found
        return found

    def _runs(self, trial: Trial, steps: list[dict[str, Any]]) -> Iterator[tuple[Finding, float]]:
        for turn in range(_TRIES):
            self.again += turn > 0
            began = time.monotonic()
            found = trial.run(steps, seed=1 + turn)
            yield found, time.monotonic() - began

    def _deviation(
        self, seed: int, kind: Kind, trial: Trial, steps: list[dict[str, Any]], found: Finding
    ) -> dict[str, Any]:
        assert found.at is not None, "only what differs is made small"
        told = {"seed": seed, "kind": kind, "differences": list(found.differences)}
        again = steps[: found.at + 1]
        if trial.run(again, seed=2).at is None:
            return told | {"case": trial.as_case(f"differs-{seed}-not-again", again)}
        small = trial.shrunk(again)
        trial = trial.with_fewer_rules(small).with_less_topology(small)
        return told | {"case": trial.as_case(f"differs-{seed}", small)}


def describe(world: World) -> str:
    """A word for a world."""
    return f"IPv{world.place.family} {world.shape} {world.language}"
