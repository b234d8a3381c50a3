"""Random rules in the shape of kube-proxy's, in its iptables mode, for both families.

Written for the test, and without any of kdp's own rule writer. Endpoints are chosen by turns (``statistic --mode nth``)
and not at random, so that the kernel and kdp choose alike.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.kernel.place import Place

PORT_UNREACHABLE = {4: "icmp-port-unreachable", 6: "icmp6-port-unreachable"}


@dataclass
class ServicePort:
    """One port of one Service, as the rules need it."""

    place: Place
    name: str
    proto: str
    address: str
    port: int
    target: int
    pods: list[str]
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
    def pods_here(self) -> list[str]:
        """Endpoints on this node."""
        return [pod for pod in self.pods if ("pod0", pod) in self.place.senders]

    def targets(self) -> Iterator[tuple[str, str, int]]:
        """(protocol, address, port) of its frontends, of an endpoint, and of a port that it has not."""
        for address in (self.address, *self.external) * 3:
            yield self.proto, address, self.port
        for address in self.place.own if self.node_port else ():
            yield self.proto, address, self.node_port or 0
        for pod in self.pods[:1]:
            yield self.proto, pod, self.target
        yield self.proto, self.address, self.port + 1


def random_services(rng: random.Random, place: Place) -> list[ServicePort]:
    """Some Service ports, with zero to four endpoints each."""
    return [_random_service(rng, place, number) for number in range(rng.randint(3, 9))]


def kube_iptables(rng: random.Random, place: Place, services: list[ServicePort]) -> str:
    """What iptables-restore takes: ``nat`` and ``filter``."""
    nat = [
        *_nat_chains(services),
        *_nat_heads(rng, place),
        *(rule for service in services for rule in _nat_rules(service)),
    ]
    nat.append("-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS")
    filter_ = [*_filter_heads(rng), *(rule for service in services for rule in _filter_rules(service))]
    lines = ["*nat", *nat, "COMMIT", "*filter", *filter_, *_odd_rules(rng, place), "COMMIT"]
    return "".join(f"{line}\n" for line in lines)


def _random_service(rng: random.Random, place: Place, number: int) -> ServicePort:
    proto = rng.choice(["tcp", "tcp", "udp"])
    port, target = (80, 8080) if proto == "tcp" else (53, 5353)
    pods = rng.sample(place.pods, rng.choice([0, 1, 1, 2, 3, 4]))
    address = place.vips[0][: -len("10")] + str(10 + number)
    service = ServicePort(place, f"S{number}", proto, address, port, target, pods)
    service.node_port = 30080 + number if rng.random() < 0.5 else None
    service.affinity = rng.random() < 0.25
    service.local = rng.random() < 0.3
    if rng.random() < 0.25:
        service.external = [
            f"198.51.100.{100 + number}" if place.family == 4 else f"2001:db8:51::{100 + number}"
        ]
        service.allowed = rng.choice([[], [], [place.nets[3]], [_host(place, place.far[2]), place.nets[0]]])
    return service


def _host(place: Place, address: str) -> str:
    return f"{address}/{32 if place.family == 4 else 128}"


def _nat_chains(services: list[ServicePort]) -> Iterator[str]:
    for chain in ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"):
        yield f":{chain} ACCEPT [0:0]"
    for chain in ("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"):
        yield f":{chain} - [0:0]"
    for service in services:
        for kind in ("SVC", "SVL", "EXT", "FW"):
            yield f":KUBE-{kind}-{service.name} - [0:0]"
        for pod in service.pods:
            yield f":{_endpoint_chain(service, pod)} - [0:0]"


def _endpoint_chain(service: ServicePort, pod: str) -> str:
    return f"KUBE-SEP-{service.name}-{service.place.pods.index(pod)}"


def _nat_heads(rng: random.Random, place: Place) -> Iterator[str]:
    yield "-A PREROUTING -j KUBE-SERVICES"
    yield "-A OUTPUT -j KUBE-SERVICES"
    yield "-A POSTROUTING -j KUBE-POSTROUTING"
    yield "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN"
    yield "-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0"
    yield f"-A KUBE-POSTROUTING -j MASQUERADE{rng.choice(['', '', ' --random-fully'])}"
    yield "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000"
    if rng.random() < 0.3:
        yield f"-A POSTROUTING -s {place.pod_network} ! -d {place.pod_network} -o ext0 -j MASQUERADE"


def _nat_rules(service: ServicePort) -> Iterator[str]:
    """As kube-proxy's iptables proxier lays a Service port out: SVC, SVL, EXT, FW and SEP chains."""
    if not service.pods:
        return
    name, to = service.name, f"{service.match} -j"
    yield f"-A KUBE-SERVICES -d {service.address} {to} KUBE-SVC-{name}"
    for address in service.external:
        yield f"-A KUBE-SERVICES -d {address} {to} KUBE-{'FW' if service.allowed else 'EXT'}-{name}"
    for source in service.allowed:
        yield f"-A KUBE-FW-{name} -s {source} -j KUBE-EXT-{name}"
    if service.node_port:
        yield f"-A KUBE-NODEPORTS {service.node_match} -j KUBE-EXT-{name}"
    if service.local:
        yield f"-A KUBE-EXT-{name} -s {service.place.pod_network} -j KUBE-SVC-{name}"
        yield f"-A KUBE-EXT-{name} -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ"
        yield f"-A KUBE-EXT-{name} -m addrtype --src-type LOCAL -j KUBE-SVC-{name}"
        if service.pods_here:
            yield f"-A KUBE-EXT-{name} -j KUBE-SVL-{name}"
            yield from _balance(service, f"KUBE-SVL-{name}", service.pods_here)
    else:
        yield f"-A KUBE-EXT-{name} -j KUBE-MARK-MASQ"
        yield f"-A KUBE-EXT-{name} -j KUBE-SVC-{name}"
    yield f"-A KUBE-SVC-{name} ! -s {service.place.pod_network} -d {service.address} {to} KUBE-MARK-MASQ"
    yield from _balance(service, f"KUBE-SVC-{name}", service.pods)
    for pod in service.pods:
        chain = _endpoint_chain(service, pod)
        recent = f"-m recent --name {chain} --set --rsource " if service.affinity else ""
        yield f"-A {chain} -s {pod} -j KUBE-MARK-MASQ"
        to = service.place.at(pod, service.target)
        yield f"-A {chain} -p {service.proto} {recent}-m {service.proto} -j DNAT --to-destination {to}"


def _balance(service: ServicePort, chain: str, pods: list[str]) -> Iterator[str]:
    chains = [_endpoint_chain(service, pod) for pod in pods]
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
    to_nobody = f"REJECT --reject-with {PORT_UNREACHABLE[service.place.family]}"
    if not service.pods:
        yield f"-A KUBE-SERVICES -d {service.address} {service.match} -j {to_nobody}"
    outside = to_nobody if not service.pods else "DROP"
    if not service.pods or (service.local and not service.pods_here):
        for address in service.external:
            yield f"-A KUBE-EXTERNAL-SERVICES -d {address} {service.match} -j {outside}"
        if service.node_port:
            yield f"-A KUBE-EXTERNAL-SERVICES -m addrtype --dst-type LOCAL {service.node_match} -j {outside}"
    elif service.allowed:
        for address in service.external:
            yield f"-A KUBE-PROXY-FIREWALL -d {address} {service.match} -j DROP"


def _odd_rules(rng: random.Random, place: Place) -> Iterator[str]:
    """A few that kube-proxy does not write and others do."""
    prohibited = "icmp-host-prohibited" if place.family == 4 else "icmp6-adm-prohibited"
    odd = [
        f"-A FORWARD -d {place.far[1]} -p tcp -m tcp --dport 443 -j REJECT --reject-with tcp-reset",
        f"-A FORWARD -d {place.far[1]} -p udp -m udp --dport 53 -j DROP",
        f"-A FORWARD -s {place.far[2]} -p tcp -m tcp --dport 8080 -j REJECT --reject-with {prohibited}",
        "-A FORWARD -i node1 -o ext0 -m conntrack --ctstate NEW -j DROP",
        f"-A INPUT -p udp -m udp --dport 9 -j REJECT --reject-with {PORT_UNREACHABLE[place.family]}",
    ]
    yield from rng.sample(odd, rng.randint(0, len(odd)))
