"""Random worlds for the differential test: a topology, rules in one of the rule languages, and what to send to."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Any

from tests.kernel.free_iptables import free_iptables
from tests.kernel.free_nft import free_nft
from tests.kernel.kube_iptables import kube_iptables, random_services
from tests.kernel.kube_nft import kube_nft
from tests.kernel.place import PORTS, Place, place_of, random_topology

KINDS = [
    (family, shape, tool) for family in (4, 6) for shape in ("free", "kube") for tool in ("iptables", "nft")
]
SOURCE_PORTS = [2000, 2001, 40000]
_WIDEST_NAMED_RANGE = 2000


@dataclass(frozen=True)
class World:
    """A rule set, where it lies, and what there is to send packets to.

    ``targets``: (protocol, address, port) of all that is worth a packet, hits and misses. ``named``: ports that rules
    or packets name, which therefore mean something. ``holds``: a process takes packets from a queue.
    """

    place: Place
    shape: str
    topology: dict[str, Any]
    rules: list[tuple[str, str]]
    targets: list[tuple[str, str, int]]
    named: frozenset[int]
    holds: bool = False

    @property
    def language(self) -> str:
        """``iptables``, ``ip6tables`` or ``nft``."""
        return self.rules[0][0]


def random_world(rng: random.Random, kind: tuple[int, str, str]) -> World:
    """A world of a kind: family, shape of the rules, tool."""
    family, shape, tool = kind
    place = place_of(family)
    holds = shape == "free" and tool == "iptables" and rng.random() < 0.15
    targets = [
        (proto, address, port) for address in place.destinations for port in PORTS for proto in ("tcp", "udp")
    ]
    if shape == "kube":
        services = random_services(rng, place)
        text = kube_iptables(rng, place, services) if tool == "iptables" else kube_nft(place, services)
        targets = [("tcp", place.far[1], 443), ("udp", place.far[1], 53), ("tcp", place.pods[0], 9)]
        targets += [
            ("udp", place.own[1], 9),
            *(target for service in services for target in service.targets()),
        ]
    else:
        text = free_iptables(rng, place, queue=holds) if tool == "iptables" else free_nft(rng, place)
    name = "ip6tables" if (family, tool) == (6, "iptables") else tool
    return World(
        place=place,
        shape=shape,
        topology=random_topology(rng, place),
        rules=[(name, text)],
        targets=targets,
        named=named_numbers(text) | {port for _, _, port in targets} | {*SOURCE_PORTS, 0, 1, 2, 54, 81},
        holds=holds,
    )


_PORT = re.compile(
    r"(?:[sd]ports? |(?<!to-)ports |--to-destination \S+:|dst-?port |src-?port |proto-(?:src|dst) |(?:tcp|udp) \. )"
    r"(?:(?:!=|<=?|>=?|==) )?\{? ?([\d,:\- ]+)"
)
_ELEMENTS = re.compile(r"set ports .*elements = \{ ([\d,\- ]+) \}")


def named_numbers(text: str) -> frozenset[int]:
    """The ports that rules name, alone or in a range that is not half of all ports."""
    found: set[int] = set()
    for part in [*_PORT.findall(text), *_ELEMENTS.findall(text)]:
        for word in re.split(r"[, ]+", part.strip()):
            first, *rest = re.split("[:-]", word)
            last = rest[0] if rest else first
            if first and last and 0 <= int(last) - int(first) <= _WIDEST_NAMED_RANGE:
                found |= set(range(int(first), int(last) + 1))
    return frozenset(number for number in found if number < 65536)
