"""Random rules of nftables that no product has: every expression, statement and hook that kdp models."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.kernel.place import Place


@dataclass(frozen=True)
class _Base:
    """A base chain that a table may have."""

    name: str
    kind: str
    hook: str
    priority: int

    @property
    def translates(self) -> bool:
        return self.kind == "nat"


_BASES = [
    _Base("raw", "filter", "prerouting", -300),
    _Base("rawout", "filter", "output", -300),
    _Base("mpre", "filter", "prerouting", -150),
    _Base("mout", "route", "output", -150),
    _Base("dn", "nat", "prerouting", -100),
    _Base("dno", "nat", "output", -100),
    _Base("late", "filter", "prerouting", 10),
    _Base("fin", "filter", "input", 0),
    _Base("ff", "filter", "forward", 0),
    _Base("fo", "filter", "output", 0),
    _Base("mpost", "filter", "postrouting", -150),
    _Base("sni", "nat", "input", 100),
    _Base("sn", "nat", "postrouting", 100),
]
_MAY_REJECT = ("prerouting", "input", "forward", "output")


def free_nft(rng: random.Random, place: Place) -> str:
    """What ``nft -f`` takes: two tables with sets, maps, named counters and base chains of all hooks."""
    inet = rng.random() < 0.3
    return "".join(_Table(rng, place, number, inet=inet and number == 1).text() for number in range(2))


class _Table:
    def __init__(self, rng: random.Random, place: Place, number: int, *, inet: bool) -> None:
        self.rng, self.place, self.number, self.inet = rng, place, number, inet
        self.ip, self.addr = ("ip", "ipv4_addr") if place.family == 4 else ("ip6", "ipv6_addr")
        self.icmp = "icmp" if place.family == 4 else "icmpv6"
        self.users = [f"u{user}" for user in range(rng.choice([1, 2, 3]))]
        self.has_map = rng.random() < 0.5

    def text(self) -> str:
        rng = self.rng
        family = "inet" if self.inet else self.ip
        lines = [f"table {family} g{self.number} {{", *self._objects(), *self._sets()]
        for number in reversed(range(len(self.users))):
            later = self.users[number + 1 :]
            lines += [f" chain {self.users[number]} {{"]
            lines += [f"  {self._user_rule(later)}" for _ in range(rng.randint(1, 3))]
            lines.append(" }")
        if self.has_map:
            lines += self._verdict_map()
        for base in _BASES:
            if rng.random() < (0.7 if base.name in ("raw", "rawout", "mout", "late", "sni") else 0.15):
                continue
            lines += self._base(base)
        return "\n".join([*lines, "}", ""])

    def _objects(self) -> list[str]:
        counters = [f" counter c{number} {{ }}" for number in range(3)]
        return [
            *counters,
            f" quota q0 {{ {self.rng.choice(['over ', ''])}{self.rng.choice([200, 3000])} bytes }}",
            f" limit l0 {{ rate 1/day burst {self.rng.choice([2, 10])} packets }}",
        ]

    def _sets(self) -> list[str]:
        rng, place = self.rng, self.place
        clients = sorted({source for _, source in place.senders})
        nets = ", ".join(sorted(rng.sample(place.nets[:4], 2)))
        hosts = ", ".join(sorted(rng.sample(clients, 3)))
        services = {
            f"{rng.choice(place.vips)} . {rng.choice(['tcp', 'udp'])} . {rng.choice([53, 80, 443, 8080])}"
            for _ in range(5)
        }
        addr = self.addr
        return [
            f" set nets {{ type {addr}; flags interval; elements = {{ {nets} }}; }}",
            f" set hosts {{ type {addr}; elements = {{ {hosts} }}; }}",
            (
                " set ports { type inet_service; flags interval; elements = { "
                f"{rng.choice(['53, 80-90', '443, 8000-9000', '80'])} }}; }}"
            ),
            f" set svcs {{ type {addr} . inet_proto . inet_service; elements = {{ {', '.join(sorted(services))} }}; }}",
            f" set seen {{ type {addr}; flags dynamic,timeout; size 64; timeout 1h; }}",
            f" set few {{ type {addr} . inet_service; flags dynamic; size 3; }}",
            (
                f" map ends {{ type inet_service : {addr} . inet_service; elements = {{ "
                f"80 : {place.pods[0]} . 8080, 443 : {place.pods[1]} . 80 }}; }}"
            ),
        ]

    def _verdict_map(self) -> list[str]:
        verdicts = ["accept", "drop", "continue", "return", f"jump {self.rng.choice(self.users)}"]
        keys = ["tcp . 80", "tcp . 443", "udp . 53"]
        pairs = ", ".join(f"{key} : {self.rng.choice(verdicts)}" for key in keys)
        return [f" map vm {{ type inet_proto . inet_service : verdict; elements = {{ {pairs} }}; }}"]

    def _base(self, base: _Base) -> list[str]:
        rng = self.rng
        policy = "drop" if base.name == "ff" and rng.random() < 0.2 else "accept"
        priority = base.priority + self.number * rng.choice([1, 5])
        lines = [
            f" chain {base.name} {{ type {base.kind} hook {base.hook} priority {priority}; policy {policy};"
        ]
        lines += [f"  {self._base_rule(base)}" for _ in range(rng.randint(2, 6))]
        return [*lines, " }"]

    def _user_rule(self, later: list[str]) -> str:
        rng = self.rng
        matches, proto = self._matches("any")
        dice = rng.random()
        if dice < 0.25 and later:
            return " ".join([*matches, f"{rng.choice(['jump', 'goto'])} {rng.choice(later)}"])
        if dice < 0.4:
            return " ".join([*matches, "return"])
        return " ".join([*matches, self._filters(proto, may_reject=True)])

    def _base_rule(self, base: _Base) -> str:
        rng = self.rng
        matches, proto = self._matches(base.hook)
        if base.translates:
            statement = (
                self._destination(base, proto)
                if base.hook in ("prerouting", "output")
                else self._source(base, proto)
            )
        elif base.name in ("raw", "rawout"):
            statement = rng.choice(["notrack", "accept", "meta mark set 0x2", self._counts()])
        elif base.name in ("fin", "ff", "fo") and rng.random() < 0.3:
            statement = f"{rng.choice(['jump', 'jump', 'goto'])} {rng.choice(self.users)}"
        elif base.name in ("ff", "fin") and self.has_map and rng.random() < 0.2:
            return "meta l4proto . th dport vmap @vm"
        elif base.name in ("mpre", "mout", "mpost"):
            statement = self._mangles()
        else:
            statement = self._filters(proto, may_reject=base.hook in _MAY_REJECT and base.name != "late")
        return " ".join([*matches, statement])

    def _not(self, chance: float = 0.15) -> str:
        return "!= " if self.rng.random() < chance else ""

    def _matches(self, hook: str) -> tuple[list[str], str]:
        rng = self.rng
        parts = self._addresses(hook)
        proto, transport = self._transport()
        parts += transport
        if rng.random() < 0.3:
            parts.append(self._tracked(proto))
        if rng.random() < 0.3:
            parts.append(self._odd())
        if rng.random() < 0.1:
            parts.append(self._remembers(proto))
        if rng.random() < 0.5:
            parts.append("counter")
        return parts, proto

    def _addresses(self, hook: str) -> list[str]:
        rng, place, ip = self.rng, self.place, self.ip
        parts = []
        clients = [source for _, source in place.senders]
        if rng.random() < 0.35:
            parts.append(f"{ip} saddr {self._not()}{rng.choice([*place.nets, *clients, '@nets', '@hosts'])}")
        if rng.random() < 0.35:
            some = f"{{ {', '.join(place.vips[:2])} }}"
            between = f"{place.pods[0]}-{place.pods[2]}"
            where = [*place.nets, *place.vips, *place.pods, "@nets", some, between]
            parts.append(f"{ip} daddr {self._not()}{rng.choice(where)}")
        if hook in ("prerouting", "input", "forward") and rng.random() < 0.2:
            names = ['"cli0"', '"pod*"', '{ "ext0", "node1" }', '"lo"']
            parts.append(f"iifname {self._not()}{rng.choice(names)}")
        if hook in ("postrouting", "output", "forward") and rng.random() < 0.2:
            names = ['"ext0"', '"pod0"', '{ "cli0", "node1" }', '"lo"']
            parts.append(f"oifname {self._not()}{rng.choice(names)}")
        return parts

    def _transport(self) -> tuple[str, list[str]]:  # noqa: PLR0911 - one return for each kind
        rng, ip = self.rng, self.ip
        dice = rng.random()
        if dice < 0.3:
            return "tcp", [
                "tcp dport " + rng.choice(["80", "{ 80, 443 }", "80-443", "!= 53", "@ports", "8080"])
            ]
        if dice < 0.5:
            return "udp", ["udp dport " + rng.choice(["53", "{ 53, 80 }", "1024-65535", "@ports", "< 100"])]
        if dice < 0.55:
            return "sctp", ["sctp dport " + rng.choice(["80", "{ 80, 443 }", ">= 80"])]
        if dice < 0.7:
            flags = [
                "meta l4proto tcp",
                "tcp flags & (syn|ack|rst|fin) == syn",
                "tcp flags & rst == rst",
                "tcp sport 2000-2001",
                "tcp flags syn,ack / syn,ack",
                "tcp flags fin",
            ]
            return "tcp", [rng.choice(flags)]
        if dice < 0.8:
            kinds = ["echo-request", "echo-reply", "destination-unreachable", "time-exceeded"]
            code = f"{self.icmp} code {rng.choice([0, 3])}"
            return "icmp", [f"{self.icmp} type {rng.choice(kinds)}", *([code] if rng.random() < 0.2 else [])]
        if dice < 0.88:
            return "th", [f"{ip} daddr . meta l4proto . th dport @svcs"]
        if dice < 0.93:
            proto = rng.choice(["tcp", "udp", "{ tcp, udp, sctp }", "!= tcp"])
            field = "meta l4proto" if ip == "ip6" else rng.choice(["meta l4proto", "ip protocol"])
            return "", [f"{field} {proto}"]
        return "", []

    def _tracked(self, proto: str) -> str:
        rng, place = self.rng, self.place
        ip = self.ip
        return rng.choice(
            [
                "ct state new",
                "ct state established,related",
                "ct state invalid",
                "ct state != new",
                "ct state untracked",
                "ct direction reply",
                "ct direction original",
                "ct status dnat",
                "ct status assured",
                "ct status snat",
                "ct status seen-reply",
                "ct status & (snat | dnat) == 0",
                f"ct original {ip} daddr {rng.choice(place.vips)}",
                f"ct original {ip} saddr {rng.choice(place.nets)}",
                f"ct reply {ip} saddr {rng.choice(place.pods)}",
                *(
                    ["ct original proto-dst 80", "ct reply proto-src != 8080"]
                    if proto in ("tcp", "udp")
                    else []
                ),
                "ct expiration > 10s",
                "ct packets > 1",
                "ct original bytes < 500",
                "ct state vmap { invalid : drop, established : accept, related : accept }",
            ]
        )

    def _odd(self) -> str:
        rng, ip = self.rng, self.ip
        hop = "ttl" if ip == "ip" else "hoplimit"
        return rng.choice(
            [
                "meta mark 1",
                "meta mark & 2 == 2",
                "meta mark != 3",
                "ct mark 2",
                "ct mark != 0",
                "fib daddr type local",
                "fib daddr type unicast",
                "fib saddr type != local",
                "meta length > 60",
                "meta length 20-52",
                f"{ip} {hop} {rng.choice(['64', '< 64', '> 1'])}",
                f"{ip} dscp {rng.choice(['cs1', '!= cs0'])}",
                *([f"meta nfproto ipv{self.place.family}"] if self.inet else []),
                "numgen inc mod 3 < 2",
                "numgen inc mod 4 offset 10 == 12",
                "limit rate 1/day burst 3 packets",
                "limit rate over 1/day burst 4 packets",
                "limit name l0",
                "quota 900 bytes",
                "quota over 500 bytes",
                "quota name q0",
            ]
        )

    def _remembers(self, proto: str) -> str:
        ip = self.ip
        pairs = (
            [f"add @few {{ {ip} saddr . tcp dport }}", f"{ip} saddr . tcp dport @few"]
            if proto == "tcp"
            else []
        )
        return self.rng.choice(
            [
                *pairs,
                f"add @seen {{ {ip} saddr }}",
                f"update @seen {{ {ip} saddr }}",
                f"update @seen {{ {ip} daddr timeout 30m }}",
                f"{ip} saddr @seen",
                f"{ip} daddr != @seen",
                f"delete @seen {{ {ip} saddr }}",
            ]
        )

    def _counts(self) -> str:
        return f"counter name c{self.rng.randrange(3)}"

    def _rejects(self, proto: str) -> str:
        rng = self.rng
        if proto == "tcp" and rng.random() < 0.5:
            return "reject with tcp reset"
        if self.inet:
            kind = rng.choice(["port-unreachable", "admin-prohibited", "host-unreachable", "no-route"])
            return f"reject with icmpx type {kind}"
        codes = [
            "port-unreachable",
            "admin-prohibited",
            "host-unreachable",
            "net-unreachable",
            "prot-unreachable",
        ]
        if self.icmp == "icmpv6":
            codes = ["port-unreachable", "admin-prohibited", "no-route", "addr-unreachable"]
        return f"reject with {self.icmp} type {rng.choice(codes)}"

    def _filters(self, proto: str, *, may_reject: bool) -> str:
        rng = self.rng
        dice = rng.random()
        if dice < 0.3:
            return "accept"
        if dice < 0.42:
            return "drop"
        if dice < 0.6 and may_reject:
            return self._rejects(proto)
        if dice < 0.7:
            return rng.choice(["return", "continue"])
        return self._counts() if dice < 0.85 else "meta mark set meta mark or 0x2"

    def _mangles(self) -> str:
        return self.rng.choice(
            [
                "meta mark set 0x1",
                "meta mark set meta mark or 0x2",
                "meta mark set meta mark and 0xfffffffe",
                "meta mark set meta mark xor 0x3",
                "ct mark set meta mark",
                "meta mark set ct mark",
                "ct mark set 0x2",
                f"{self.ip} dscp set cs1",
                "accept",
                self._counts(),
            ]
        )

    def _to(self, to: str) -> str:
        """``dnat to`` and ``snat to``, with the family in a table of both."""
        return f"{self.ip} to {to}" if self.inet else f"to {to}"

    def _destination(self, base: _Base, proto: str) -> str:
        rng, place = self.rng, self.place
        has_ports = proto in ("tcp", "udp", "sctp")
        dice = rng.random()
        if dice < 0.3 and has_ports:
            port = rng.choice(["8080", "80", "9000-9003"])
            return f"dnat {self._to(place.at(rng.choice(place.pods), port))}"
        if dice < 0.4 and has_ports and proto != "sctp":
            return f"dnat {self.ip} to {proto} dport map @ends"
        if dice < 0.55:
            return f"dnat {self._to(rng.choice([*place.pods, place.far[1]]))}"
        if dice < 0.7:
            pairs = ", ".join(f"{number} : {pod}" for number, pod in enumerate(place.pods[:3]))
            return f"dnat {self._to(f'numgen inc mod 3 map {{ {pairs} }}')}" if not self.inet else "accept"
        if dice < 0.8:
            return f"redirect{' to :8080' if has_ports else ''}"
        return rng.choice(["accept", "return", "meta mark set 0x1", self._counts()])

    def _source(self, base: _Base, proto: str) -> str:
        rng, place = self.rng, self.place
        has_ports = proto in ("tcp", "udp", "sctp")
        draws = rng.choice(["", "", "", " random", " fully-random"])
        dice = rng.random()
        if dice < 0.4 and base.hook == "postrouting":
            return f"masquerade{' to :3000-3100' if has_ports and rng.random() < 0.2 else ''}{draws}"
        if dice < 0.55:
            return f"snat {self._to(rng.choice(place.snat))}{draws}"
        if dice < 0.62 and has_ports:
            return f"snat {self._to(place.at(rng.choice(place.snat), '6000-6003'))}"
        if dice < 0.72 and not self.inet:
            pairs = ", ".join(f"{net} : {rng.choice(place.snat)}" for net in place.nets[:2])
            return f"snat to {self.ip} saddr map {{ {pairs} }}"
        return rng.choice(["accept", "return", self._counts()])
