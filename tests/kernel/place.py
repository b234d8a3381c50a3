"""Where random worlds lie: a router among four networks, in IPv4 and in IPv6, and who sends to whom."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

DEVICES = ["cli0", "pod0", "node1", "ext0"]
PORTS = [53, 80, 443, 8080]


@dataclass(frozen=True)
class Place:
    """Addresses and devices that rules and packets are drawn from.

    ``senders``: (device, source), the device None for packets of the box itself. ``own``: addresses of the box.
    ``snat``: what rules translate sources to, one of them nobody's. ``pods``: addresses behind ``pod0`` and, the
    last two, behind ``node1``.
    """

    family: int
    topology: dict[str, Any]
    senders: list[tuple[str | None, str]]
    own: list[str]
    vips: list[str]
    pods: list[str]
    far: list[str]
    snat: list[str]
    nets: list[str]
    pod_network: str
    ends: list[str] = field(default_factory=list)

    def at(self, address: str, port: int | str | None = None) -> str:
        """ADDRESS:PORT as iptables and nft write it."""
        if port is None:
            return address
        return f"[{address}]:{port}" if self.family == 6 else f"{address}:{port}"

    @property
    def destinations(self) -> list[str]:
        """What packets are sent to: virtual addresses most."""
        return [*self.vips * 3, *self.pods, *self.far, *self.own, *self.ends]


def place_of(family: int) -> Place:
    """The place of a family, as it always is."""
    return _place_4() if family == 4 else _place_6()


def _place_4() -> Place:
    pods = ["10.244.0.2", "10.244.0.3", "10.244.0.4", "10.244.1.2", "10.244.1.3"]
    return Place(
        family=4,
        topology={
            "devs": {
                "cli0": ["10.0.0.1/24"],
                "pod0": ["10.244.0.1/24"],
                "node1": ["172.16.0.1/24"],
                "ext0": ["192.168.100.1/24"],
            },
            "default": "ext0",
            "routes": [["10.244.1.0/24", "node1"]],
            "sysctl": {},
            "lo_addrs": [],
        },
        senders=[
            ("cli0", "10.0.0.5"),
            ("cli0", "10.0.0.6"),
            ("node1", "172.16.0.9"),
            ("ext0", "203.0.113.9"),
            (None, "192.168.100.1"),
            (None, "10.244.0.1"),
            *(("pod0" if pod.startswith("10.244.0.") else "node1", pod) for pod in pods),
        ],
        own=["192.168.100.1", "10.0.0.1"],
        vips=["10.96.0.10", "10.96.0.11", "10.96.0.12"],
        pods=pods,
        far=["203.0.113.9", "203.0.113.10", "10.0.0.6"],
        snat=["192.168.100.1", "192.168.100.50"],
        nets=["10.0.0.0/24", "10.244.0.0/24", "10.96.0.0/24", "203.0.113.0/24", "10.0.0.4/31", "10.0.0.0/8"],
        pod_network="10.244.0.0/16",
    )


def _place_6() -> Place:
    pods = ["fd00:10:244::2", "fd00:10:244::3", "fd00:10:244::4", "fd00:10:244:1::2", "fd00:10:244:1::3"]
    return Place(
        family=6,
        topology={
            "devs": {
                "cli0": ["fd00:a::1/64"],
                "pod0": ["fd00:10:244::1/64"],
                "node1": ["fd00:172::1/64"],
                "ext0": ["2001:db8:1::1/64"],
            },
            "default": "ext0",
            "routes": [["fd00:10:244:1::/64", "node1"]],
            "sysctl": {},
            "lo_addrs": [],
        },
        senders=[
            ("cli0", "fd00:a::5"),
            ("cli0", "fd00:a::6"),
            ("node1", "fd00:172::9"),
            ("ext0", "2001:db8:99::9"),
            (None, "2001:db8:1::1"),
            (None, "fd00:10:244::1"),
            *(("node1" if ":1::" in pod else "pod0", pod) for pod in pods),
        ],
        own=["2001:db8:1::1", "fd00:a::1"],
        vips=["fd00:10:96::10", "fd00:10:96::11", "fd00:10:96::12"],
        pods=pods,
        far=["2001:db8:99::9", "2001:db8:99::a", "fd00:a::6"],
        snat=["2001:db8:1::1", "2001:db8:1::50"],
        nets=[
            "fd00:a::/64",
            "fd00:10:244::/64",
            "fd00:10:96::/112",
            "2001:db8::/32",
            "fd00:a::4/127",
            "fd00::/16",
        ],
        pod_network="fd00:10:244::/48",
    )


_SWITCHES = {
    "net.ipv4.conf.all.rp_filter": [1, 2],
    "net.ipv4.conf.all.route_localnet": [1],
    "net.netfilter.nf_conntrack_tcp_be_liberal": [1],
    "net.netfilter.nf_conntrack_tcp_loose": [0],
    "net.netfilter.nf_conntrack_tcp_ignore_invalid_rst": [1],
    "net.netfilter.nf_conntrack_tcp_max_retrans": [1, 5],
    "net.netfilter.nf_conntrack_checksum": [0],
    "net.netfilter.nf_conntrack_acct": [1],
    "net.netfilter.nf_conntrack_tcp_timeout_close": [40],
    "net.netfilter.nf_conntrack_tcp_timeout_established": [86400],
    "net.netfilter.nf_conntrack_tcp_timeout_unacknowledged": [200],
    "net.netfilter.nf_conntrack_tcp_timeout_max_retrans": [100],
    "net.netfilter.nf_conntrack_udp_timeout": [60],
    "net.netfilter.nf_conntrack_udp_timeout_stream": [180],
    "net.netfilter.nf_conntrack_icmp_timeout": [77],
    "net.netfilter.nf_conntrack_icmpv6_timeout": [78],
    "net.netfilter.nf_conntrack_sctp_timeout_established": [99],
    "net.netfilter.nf_conntrack_generic_timeout": [50],
    "net.netfilter.nf_conntrack_gre_timeout": [44],
}
"""Sysctls of a namespace, each with values that are not its default."""


def random_sysctl(rng: random.Random) -> tuple[str, int]:
    """One of them and a value."""
    name = rng.choice(list(_SWITCHES))
    return name, rng.choice(_SWITCHES[name])


def random_topology(rng: random.Random, place: Place) -> dict[str, Any]:
    """The place's topology, now and then with sysctls, an address on ``lo``, a second address on a device."""
    topology: dict[str, Any] = {**place.topology, "devs": dict(place.topology["devs"])}
    if rng.random() < 0.4:
        topology["sysctl"] = dict(random_sysctl(rng) for _ in range(rng.randint(1, 3)))
    if rng.random() < 0.2:
        topology["lo_addrs"] = [f"{place.vips[2]}/{32 if place.family == 4 else 128}"]
    if rng.random() < 0.2:
        second = "192.168.100.50/24" if place.family == 4 else "2001:db8:1::50/64"
        topology["devs"]["ext0"] = [*topology["devs"]["ext0"], second]
    if rng.random() < 0.1 and place.family == 6:
        topology["default"] = None
    return topology
