"""Random worlds for the differential test: a router among four networks, and rules in the shape of kube-proxy's.

Written for the test, and without any of kdp's own rule writer. Endpoints are chosen by turns (``statistic --mode nth``)
and not at random, so that the kernel and kdp choose alike.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

TOPOLOGY: dict[str, Any] = {
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
}
PODS = ["10.244.0.2", "10.244.0.3", "10.244.0.4", "10.244.1.2", "10.244.1.3"]
SENDERS: list[tuple[str | None, str]] = [
    ("cli0", "10.0.0.5"),
    ("cli0", "10.0.0.6"),
    ("node1", "172.16.0.9"),
    ("ext0", "203.0.113.9"),
    (None, "192.168.100.1"),
    (None, "10.244.0.1"),
    *(("pod0" if pod.startswith("10.244.0.") else "node1", pod) for pod in PODS),
]
NODE_ADDRESSES = ["192.168.100.1", "10.0.0.1"]
_POD_NETWORK = "10.244.0.0/16"


@dataclass
class ServicePort:
    """One port of one Service, as the rules need it."""

    name: str
    proto: str
    address: str
    port: int
    endpoints: list[str]
    node_port: int | None = None
    affinity: bool = False
    local: bool = False
    external: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    @property
    def match(self) -> str:
        """What its rules test of protocol and port."""
        return f"-p {self.proto} -m {self.proto} --dport {self.port}"

    @property
    def node_match(self) -> str:
        """The same for its node port."""
        return f"-p {self.proto} -m {self.proto} --dport {self.node_port}"

    @property
    def endpoints_here(self) -> list[str]:
        """Those on this node."""
        return [endpoint for endpoint in self.endpoints if endpoint.startswith("10.244.0.")]


@dataclass
class World:
    """A rule set and what there is to send packets to."""

    rules: str
    services: list[ServicePort]

    def targets(self) -> list[tuple[str, str, int]]:
        """(protocol, address, port) of all that is worth a packet, hits and misses."""
        found = [("tcp", "198.51.100.5", 443), ("udp", "198.51.100.5", 53)]
        found += [("tcp", "10.244.0.2", 9), ("udp", "10.0.0.1", 9)]
        for service in self.services:
            found += [
                (service.proto, address, service.port) for address in (service.address, *service.external)
            ] * 3
            found += [
                (service.proto, address, service.node_port) for address in NODE_ADDRESSES if service.node_port
            ]
            found += [(service.proto, *_split(endpoint)) for endpoint in service.endpoints[:1]]
            found.append((service.proto, service.address, service.port + 1))
        return found


def random_world(rng: random.Random) -> World:
    """A world of a seed."""
    services = [_random_service(rng, number) for number in range(rng.randint(3, 9))]
    nat = [
        *_nat_chains(services),
        *_nat_heads(rng),
        *(rule for service in services for rule in _nat_rules(service)),
    ]
    nat.append("-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS")
    filter_ = [*_filter_heads(rng), *(rule for service in services for rule in _filter_rules(service))]
    lines = ["*nat", *nat, "COMMIT", "*filter", *filter_, *_odd_rules(rng), "COMMIT"]
    return World("".join(f"{line}\n" for line in lines), services)


def _split(endpoint: str) -> tuple[str, int]:
    address, port = endpoint.split(":")
    return address, int(port)


def _random_service(rng: random.Random, number: int) -> ServicePort:
    proto = rng.choice(["tcp", "tcp", "udp"])
    target = 8080 if proto == "tcp" else 5353
    pods = rng.sample(PODS, rng.choice([0, 1, 1, 2, 3, 4]))
    port, endpoints = 80 if proto == "tcp" else 53, [f"{pod}:{target}" for pod in pods]
    service = ServicePort(f"S{number}", proto, f"10.96.0.{10 + number}", port, endpoints)
    service.node_port = 30080 + number if rng.random() < 0.5 else None
    service.affinity = rng.random() < 0.25
    service.local = rng.random() < 0.3
    if rng.random() < 0.25:
        service.external = [f"198.51.100.{100 + number}"]
        service.allowed = rng.choice([[], [], ["203.0.113.0/24"], ["10.0.0.5/32", "172.16.0.0/24"]])
    return service


def _nat_chains(services: list[ServicePort]) -> Iterator[str]:
    for chain in ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"):
        yield f":{chain} ACCEPT [0:0]"
    for chain in ("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"):
        yield f":{chain} - [0:0]"
    for service in services:
        for kind in ("SVC", "SVL", "EXT", "FW"):
            yield f":KUBE-{kind}-{service.name} - [0:0]"
        for endpoint in service.endpoints:
            yield f":{_endpoint_chain(service, endpoint)} - [0:0]"


def _endpoint_chain(service: ServicePort, endpoint: str) -> str:
    return f"KUBE-SEP-{service.name}-{endpoint.replace(':', '-')}"


def _nat_heads(rng: random.Random) -> Iterator[str]:
    yield "-A PREROUTING -j KUBE-SERVICES"
    yield "-A OUTPUT -j KUBE-SERVICES"
    yield "-A POSTROUTING -j KUBE-POSTROUTING"
    yield "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN"
    yield "-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0"
    yield f"-A KUBE-POSTROUTING -j MASQUERADE{rng.choice(['', '', ' --random-fully'])}"
    yield "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000"
    if rng.random() < 0.3:
        yield f"-A POSTROUTING -s {_POD_NETWORK} ! -d {_POD_NETWORK} -o ext0 -j MASQUERADE"


def _nat_rules(service: ServicePort) -> Iterator[str]:
    """As kube-proxy's iptables proxier lays a Service port out: SVC, SVL, EXT, FW and SEP chains."""
    if not service.endpoints:
        return
    name, to = service.name, f"{service.match} -j"
    yield f"-A KUBE-SERVICES -d {service.address}/32 {to} KUBE-SVC-{name}"
    for address in service.external:
        yield f"-A KUBE-SERVICES -d {address}/32 {to} KUBE-{'FW' if service.allowed else 'EXT'}-{name}"
    for source in service.allowed:
        yield f"-A KUBE-FW-{name} -s {source} -j KUBE-EXT-{name}"
    if service.node_port:
        yield f"-A KUBE-NODEPORTS {service.node_match} -j KUBE-EXT-{name}"
    if service.local:
        yield f"-A KUBE-EXT-{name} -s {_POD_NETWORK} -j KUBE-SVC-{name}"
        yield f"-A KUBE-EXT-{name} -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ"
        yield f"-A KUBE-EXT-{name} -m addrtype --src-type LOCAL -j KUBE-SVC-{name}"
        if service.endpoints_here:
            yield f"-A KUBE-EXT-{name} -j KUBE-SVL-{name}"
            yield from _balance(service, f"KUBE-SVL-{name}", service.endpoints_here)
    else:
        yield f"-A KUBE-EXT-{name} -j KUBE-MARK-MASQ"
        yield f"-A KUBE-EXT-{name} -j KUBE-SVC-{name}"
    yield f"-A KUBE-SVC-{name} ! -s {_POD_NETWORK} -d {service.address}/32 {to} KUBE-MARK-MASQ"
    yield from _balance(service, f"KUBE-SVC-{name}", service.endpoints)
    for endpoint in service.endpoints:
        chain = _endpoint_chain(service, endpoint)
        recent = f"-m recent --name {chain} --set --rsource " if service.affinity else ""
        yield f"-A {chain} -s {_split(endpoint)[0]}/32 -j KUBE-MARK-MASQ"
        yield f"-A {chain} -p {service.proto} {recent}-m {service.proto} -j DNAT --to-destination {endpoint}"


def _balance(service: ServicePort, chain: str, endpoints: list[str]) -> Iterator[str]:
    chains = [_endpoint_chain(service, endpoint) for endpoint in endpoints]
    if service.affinity:
        for name in chains:
            yield f"-A {chain} -m recent --name {name} --rcheck --seconds 10800 --reap --rsource -j {name}"
    for left, name in zip(range(len(chains), 0, -1), chains, strict=True):
        by_turns = f"-m statistic --mode nth --every {left} --packet 0 " if left > 1 else ""
        yield f"-A {chain} {by_turns}-j {name}"


def _filter_heads(rng: random.Random) -> Iterator[str]:
    for chain in ("INPUT", "FORWARD", "OUTPUT"):
        yield f":{chain} ACCEPT [0:0]"
    for chain in ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-FORWARD", "KUBE-PROXY-FIREWALL"):
        yield f":{chain} - [0:0]"
    new = "-m conntrack --ctstate NEW -j"
    for chain, to in (
        ("INPUT", "KUBE-PROXY-FIREWALL"),
        ("INPUT", "KUBE-EXTERNAL-SERVICES"),
        ("FORWARD", "KUBE-PROXY-FIREWALL"),
        ("FORWARD", "KUBE-SERVICES"),
        ("FORWARD", "KUBE-EXTERNAL-SERVICES"),
        ("OUTPUT", "KUBE-PROXY-FIREWALL"),
        ("OUTPUT", "KUBE-SERVICES"),
    ):
        yield f"-A {chain} {new} {to}"
    yield "-A FORWARD -j KUBE-FORWARD"
    if rng.random() < 0.6:
        yield "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP"
    yield "-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT"
    yield "-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"


def _filter_rules(service: ServicePort) -> Iterator[str]:
    to_nobody = "REJECT --reject-with icmp-port-unreachable"
    if not service.endpoints:
        yield f"-A KUBE-SERVICES -d {service.address}/32 {service.match} -j {to_nobody}"
    outside = to_nobody if not service.endpoints else "DROP"
    if not service.endpoints or (service.local and not service.endpoints_here):
        for address in service.external:
            yield f"-A KUBE-EXTERNAL-SERVICES -d {address}/32 {service.match} -j {outside}"
        if service.node_port:
            yield f"-A KUBE-EXTERNAL-SERVICES -m addrtype --dst-type LOCAL {service.node_match} -j {outside}"
    elif service.allowed:
        for address in service.external:
            yield f"-A KUBE-PROXY-FIREWALL -d {address}/32 {service.match} -j DROP"


def _odd_rules(rng: random.Random) -> Iterator[str]:
    """A few that kube-proxy does not write and others do."""
    odd = [
        "-A FORWARD -d 198.51.100.5/32 -p tcp -m tcp --dport 443 -j REJECT --reject-with tcp-reset",
        "-A FORWARD -d 198.51.100.5/32 -p udp -m udp --dport 53 -j DROP",
        "-A FORWARD -s 10.0.0.6/32 -p tcp -m tcp --dport 8080 -j REJECT --reject-with icmp-host-prohibited",
        "-A FORWARD -i node1 -o ext0 -m conntrack --ctstate NEW -j DROP",
        "-A INPUT -p udp -m udp --dport 9 -j REJECT --reject-with icmp-port-unreachable",
    ]
    yield from rng.sample(odd, rng.randint(0, len(odd)))
