"""Random rules of iptables that no product has: every match, target and table that kdp models, in random company.

What they decide is deterministic, but for a port that NAT draws: rates are so slow and probabilities so extreme that
the clock and the dice have no say.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.kernel.place import DEVICES, PORTS, Place

_POLICIES = ["ACCEPT", "ACCEPT", "DROP"]
_HOOKS = {
    "raw": ["PREROUTING", "OUTPUT"],
    "mangle": ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
    "nat": ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
    "filter": ["INPUT", "FORWARD", "OUTPUT"],
    "security": ["INPUT", "FORWARD", "OUTPUT"],
}
_RULES = {"raw": (0, 3), "mangle": (0, 4), "nat": (2, 6), "filter": (2, 7), "security": (0, 2)}
_USER = "user"
REJECTS = {
    4: [
        "icmp-net-unreachable",
        "icmp-host-unreachable",
        "icmp-port-unreachable",
        "icmp-proto-unreachable",
        "icmp-net-prohibited",
        "icmp-host-prohibited",
        "icmp-admin-prohibited",
    ],
    6: [
        "icmp6-no-route",
        "icmp6-adm-prohibited",
        "icmp6-addr-unreachable",
        "icmp6-port-unreachable",
        "icmp6-policy-fail",
        "icmp6-reject-route",
    ],
}


def free_iptables(rng: random.Random, place: Place, *, queue: bool) -> str:
    """What iptables-restore (or ip6tables-restore) takes. ``queue``: a rule of FORWARD hands packets to a process."""
    writer = _Writer(rng, place)
    tables = ["nat", "filter"]
    tables += [
        name for name, chance in (("raw", 0.5), ("mangle", 0.7), ("security", 0.1)) if rng.random() < chance
    ]
    return "".join(writer.table(name, queue=queue and name == "filter") for name in sorted(tables))


class _Writer:
    def __init__(self, rng: random.Random, place: Place) -> None:
        self.rng, self.place = rng, place
        self.number = 0
        self.targets: dict[str, Callable[[str, str], str]] = {
            "raw": self._raw,
            "mangle": self._mangle,
            "nat": self._nat,
            "filter": self._filter,
            "security": self._security,
        }

    def table(self, name: str, *, queue: bool) -> str:
        """One table with a few user chains; each jumps to later ones alone."""
        rng = self.rng
        users = [f"{name.upper()}{number}" for number in range(rng.choice([0, 1, 2, 3]))]
        policy = rng.choice(_POLICIES) if name == "filter" else "ACCEPT"
        head = [f":{hook} {policy if hook == 'FORWARD' else 'ACCEPT'} [0:0]" for hook in _HOOKS[name]]
        body = []
        for hook in _HOOKS[name]:
            body += [self._rule(name, hook, hook, users) for _ in range(rng.randrange(*_RULES[name]))]
        if queue:
            where = rng.choice(["", f" -d {self.place.pods[0]}", " -p udp", " -p tcp"])
            body.insert(0, f"-A FORWARD{where} -m conntrack --ctstate NEW -j NFQUEUE --queue-num 0")
        for place, user in enumerate(users):
            body += [self._rule(name, user, _USER, users[place + 1 :]) for _ in range(rng.randint(1, 3))]
        return "\n".join([f"*{name}", *head, *(f":{user} - [0:0]" for user in users), *body, "COMMIT", ""])

    def _rule(self, table: str, chain: str, hook: str, users: list[str]) -> str:
        rng = self.rng
        match, proto = self._match(hook, table)
        if users and rng.random() < 0.35:
            target = f"{rng.choice(['-j', '-j', '-g'])} {rng.choice(users)}"
        elif hook == _USER and rng.random() < 0.25:
            target = "-j RETURN"
        else:
            target = self.targets[table](hook, proto)
            if "--clamp-mss-to-pmtu" in target or "--set-mss" in target:
                match = "-p tcp -m tcp --tcp-flags SYN,RST SYN"
        return f"-A {chain} {match} {target}".replace("  ", " ").rstrip()

    def _not(self, chance: float = 0.15) -> str:
        return "! " if self.rng.random() < chance else ""

    def _match(self, hook: str, table: str) -> tuple[str, str]:
        rng, place = self.rng, self.place
        parts: list[str] = []
        clients = [source for _, source in place.senders]
        if rng.random() < 0.4:
            parts.append(f"{self._not()}-s {rng.choice(place.nets + clients)}")
        if rng.random() < 0.4:
            parts.append(f"{self._not()}-d {rng.choice(place.nets + place.vips + place.pods)}")
        if hook in ("PREROUTING", "INPUT", "FORWARD") and rng.random() < 0.25:
            parts.append(f"{self._not()}-i {rng.choice([*DEVICES, 'pod+', 'lo'])}")
        if hook in ("POSTROUTING", "OUTPUT", "FORWARD") and rng.random() < 0.25:
            parts.append(f"{self._not()}-o {rng.choice([*DEVICES, 'lo'])}")
        proto, text = self._transport()
        parts.append(text)
        parts += [match for match in (self._tracked(), self._marked(), self._odd(hook, table)) if match]
        return " ".join(part for part in parts if part), proto

    def _transport(self) -> tuple[str, str]:
        rng = self.rng
        dice = rng.random()
        if dice < 0.65:
            proto = rng.choice(["tcp", "tcp", "udp", "sctp"] if dice < 0.5 else ["tcp", "udp"])
            return proto, f"-p {proto}{self._ports(proto)}"
        if dice < 0.75:
            kind = "icmpv6" if self.place.family == 6 else "icmp"
            return kind, f"-p {kind}{self._icmp(kind)}"
        if dice < 0.8:
            return "", f"{self._not(0.5)}-p {rng.choice(['tcp', 'udp', '47', '132', '50'])}"
        return "", ""

    def _ports(self, proto: str) -> str:  # noqa: PLR0911 - one return for each kind
        rng = self.rng
        dice = rng.random()
        if dice < 0.4:
            return f" -m {proto} {self._not(0.1)}--dport {rng.choice([*PORTS, '80:443', '1024:65535'])}"
        if dice < 0.55:
            side = rng.choice(["dports", "sports", "ports"])
            ports = rng.choice(["53,80", "80,443,8080", "2000:2001,53", "40000"])
            return f" -m multiport {self._not(0.1)}--{side} {ports}"
        if dice < 0.65:
            return f" -m {proto} {self._not(0.1)}--sport {rng.choice(['2000', '40000', '2000:2001'])}"
        if proto == "tcp" and dice < 0.8:
            flags = ["SYN,RST,ACK,FIN SYN", "RST RST", "FIN FIN", "ALL NONE", "ALL FIN,PSH,ACK"]
            odd = ["--syn", "! --syn"]
            return f" -m tcp {rng.choice([f'--tcp-flags {one}' for one in flags] + odd)}"
        if proto == "tcp" and dice < 0.84:
            return f" -m tcpmss {self._not()}--mss {rng.choice(['1460', '500:1400'])}"
        if proto == "sctp" and dice < 0.8:
            return (
                f" -m sctp --chunk-types {rng.choice(['any INIT', 'all INIT', 'only DATA', 'any INIT,ABORT'])}"
                if dice < 0.3
                else ""
            )
        return ""

    def _icmp(self, kind: str) -> str:
        types = ["8", "0", "3", "3/3", "any", "time-exceeded", "echo-request"]
        if kind == "icmpv6":
            types = ["echo-request", "echo-reply", "1", "1/4", "packet-too-big", "128"]
            return f" -m icmp6 {self._not(0.1)}--icmpv6-type {self.rng.choice(types)}"
        return f" -m icmp {self._not(0.1)}--icmp-type {self.rng.choice(types)}"

    def _tracked(self) -> str:
        rng, place = self.rng, self.place
        if rng.random() > 0.3:
            return ""
        vip, pod, snat = rng.choice(place.vips), rng.choice(place.pods), rng.choice(place.snat)
        words = [
            "--ctstate NEW",
            "--ctstate ESTABLISHED",
            "--ctstate RELATED,ESTABLISHED",
            "--ctstate INVALID",
            "! --ctstate NEW",
            "--ctstate UNTRACKED",
            "--ctstate DNAT",
            "--ctstate SNAT",
            "--ctdir REPLY",
            "--ctdir ORIGINAL",
            "--ctstatus ASSURED",
            "--ctstatus SEEN_REPLY",
            "--ctstatus NONE",
            "--ctstatus CONFIRMED",
            "--ctproto 6",
            "! --ctproto 17",
            f"--ctorigdst {vip}",
            f"--ctorigsrc {rng.choice(place.nets)}",
            f"--ctrepldst {snat}",
            f"! --ctreplsrc {pod}",
            "--ctorigdstport 80",
            "--ctorigsrcport 2000",
            "--ctreplsrcport 8080",
            "--ctrepldstport 40000",
            "--ctexpire 0:100000",
        ]
        if rng.random() < 0.1:
            return f"-m state --state {rng.choice(['NEW', 'ESTABLISHED', 'RELATED,ESTABLISHED', 'INVALID'])}"
        return f"-m conntrack {rng.choice(words)}"

    def _marked(self) -> str:
        rng = self.rng
        dice = rng.random()
        if dice < 0.12:
            return f"-m mark {self._not()}--mark {rng.choice(['0x1', '0x2/0x2', '0x0/0xf', '0x3'])}"
        if dice < 0.2:
            return f"-m connmark {self._not()}--mark {rng.choice(['0x1', '0x2/0x2', '0x0/0xf'])}"
        return ""

    def _odd(self, hook: str, table: str) -> str:
        """Now and then one of the rarer matches."""
        rng, place = self.rng, self.place
        if rng.random() > 0.25:
            return ""
        self.number += 1
        hop = "ttl --ttl" if place.family == 4 else "hl --hl"
        first, last = place.pods[0], place.pods[2]
        types = ["LOCAL", "UNICAST", "MULTICAST", "BROADCAST" if place.family == 4 else "UNICAST,LOCAL"]
        words = [
            "statistic --mode nth --every 2 --packet 0",
            "statistic --mode nth --every 3 --packet 2",
            f"statistic --mode random --probability {rng.choice(['0.0000000000', '1.0000000000'])}",
            f"addrtype {self._not()}--dst-type {rng.choice(types)}",
            f"addrtype {self._not()}--src-type {rng.choice(['LOCAL', 'UNICAST'])}",
            f"length {self._not()}--length {rng.choice(['0:60', '61:2000', '40'])}",
            f"limit --limit 1/day --limit-burst {rng.choice([1, 5, 50])}",
            f"iprange {self._not()}--src-range {first}-{last}",
            f"iprange {self._not()}--dst-range {first}-{last}",
            f"tos {self._not()}--tos {rng.choice(['0x10/0x3f', '0x00/0xff'])}",
            f"dscp {self._not()}--dscp 0x08",
            f"{hop}-{rng.choice(['eq', 'lt', 'gt'])} {rng.choice([1, 2, 63, 64])}",
            f'comment --comment "rule {self.number}"',
            f"recent --name R{self.number} --set --mask {_full(place)} --rsource",
            f"recent --name RR --{rng.choice(['set', 'update', 'rcheck', 'remove'])} --mask {_full(place)} --rsource",
            f"recent --name RR --update --seconds 1000 --hitcount 3 --mask {_full(place)} --rsource",
            *self._odd_of_a_place(hook, table),
        ]
        return f"-m {rng.choice(words)}"

    def _odd_of_a_place(self, hook: str, table: str) -> list[str]:
        """Those that the kernel takes in some tables or hooks alone."""
        found = []
        if hook == "PREROUTING" and table in ("raw", "mangle"):
            found += [
                "rpfilter",
                "rpfilter --invert",
                "rpfilter --loose --invert",
                "rpfilter --validmark --accept-local",
            ]
        if hook in ("PREROUTING", "INPUT"):
            found.append("addrtype --dst-type LOCAL --limit-iface-in")
        return found * 2

    def _raw(self, hook: str, proto: str) -> str:
        zones = ["CT --zone 3", "CT --zone-orig 4", "CT --zone-reply 5"]
        plain = ["CT --notrack", "ACCEPT", "RETURN", "MARK --set-xmark 0x2/0x2", "NOTRACK"]
        return f"-j {self.rng.choice(zones if self.rng.random() < 0.15 else plain)}"

    def _mangle(self, hook: str, proto: str) -> str:
        rng = self.rng
        hop = "TTL --ttl" if self.place.family == 4 else "HL --hl"
        words = [
            "MARK --set-xmark 0x1/0xffffffff",
            "MARK --set-xmark 0x2/0x2",
            "MARK --and-mark 0xfffffffe",
            "MARK --xor-mark 0x3",
            "CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff",
            "CONNMARK --restore-mark --nfmask 0x3 --ctmask 0x3",
            "CONNMARK --set-xmark 0x2/0xffffffff",
            "TOS --set-tos 0x10/0x3f",
            "DSCP --set-dscp 0x08",
            f"{hop}-set {rng.choice([2, 64])}",
            f"{hop}-dec 1",
            f"{hop}-inc 3",
            "TCPMSS --set-mss 1200",
            "TCPMSS --clamp-mss-to-pmtu",
            "CHECKSUM --checksum-fill",
            "ACCEPT",
            "RETURN",
        ]
        if (proto == "udp" and rng.random() < 0.1) or rng.random() < 0.03:
            return "-j DROP"
        target = rng.choice(words)
        if "clamp" in target and hook in ("PREROUTING", "INPUT", _USER):
            target = "TCPMSS --set-mss 1200"
        return f"-j {target}"

    def _nat(self, hook: str, proto: str) -> str:
        if hook in ("PREROUTING", "OUTPUT"):
            return f"-j {self._destination(hook, proto)}"
        if hook in ("POSTROUTING", "INPUT"):
            return f"-j {self._source(hook, proto)}"
        return f"-j {self.rng.choice(['ACCEPT', 'RETURN', 'MARK --set-xmark 0x1/0xffffffff'])}"

    def _destination(self, hook: str, proto: str) -> str:
        rng, place = self.rng, self.place
        has_ports = proto in ("tcp", "udp", "sctp")
        dice = rng.random()
        if dice < 0.35 and has_ports:
            port = rng.choice(["8080", "80", "9000-9003"])
            return f"DNAT --to-destination {place.at(rng.choice(place.pods), port)}"
        if dice < 0.55:
            target = rng.choice([*place.pods, place.far[1], f"{place.pods[0]}-{place.pods[2]}"])
            keeps = rng.choice(["", "", " --persistent"])
            return f"DNAT --to-destination {target}{keeps}"
        if dice < 0.7:
            return f"REDIRECT{' --to-ports 8080' if has_ports and rng.random() < 0.6 else ''}"
        if dice < 0.76:
            return f"NETMAP --to {place.nets[1]}"
        return rng.choice(["ACCEPT", "RETURN", "MARK --set-xmark 0x1/0xffffffff"])

    def _source(self, hook: str, proto: str) -> str:
        rng, place = self.rng, self.place
        has_ports = proto in ("tcp", "udp", "sctp")
        dice = rng.random()
        draws = rng.choice(["", "", "", " --random-fully", " --random"])
        if dice < 0.4 and hook == "POSTROUTING":
            ports = " --to-ports 3000-3100" if has_ports and rng.random() < 0.2 else ""
            return f"MASQUERADE{ports}{draws}"
        if dice < 0.7:
            source = rng.choice(place.snat)
            if has_ports and rng.random() < 0.3:
                return f"SNAT --to-source {place.at(source, rng.choice(['5000', '6000-6003']))}{draws}"
            if rng.random() < 0.2:
                return f"SNAT --to-source {place.pods[0]}-{place.pods[2]}{rng.choice(['', ' --persistent'])}"
            return f"SNAT --to-source {source}{draws}"
        if dice < 0.75:
            return f"NETMAP --to {place.nets[3] if place.family == 4 else place.nets[0]}"
        return rng.choice(["ACCEPT", "RETURN"])

    def _filter(self, hook: str, proto: str) -> str:  # noqa: PLR0911 - one return for each kind
        rng = self.rng
        dice = rng.random()
        if dice < 0.35:
            return "-j ACCEPT"
        if dice < 0.5:
            return "-j DROP"
        if dice < 0.7:
            if proto == "tcp" and rng.random() < 0.5:
                return "-j REJECT --reject-with tcp-reset"
            return f"-j REJECT --reject-with {rng.choice(REJECTS[self.place.family])}"
        if dice < 0.8:
            return "-j RETURN"
        if dice < 0.85:
            quiet = ["LOG --log-prefix seen", "NFLOG --nflog-group 5", "MARK --set-xmark 0x1/0xffffffff"]
            return f"-j {rng.choice(quiet)}"
        return ""

    def _security(self, hook: str, proto: str) -> str:
        """The kernel takes REJECT in ``filter`` alone."""
        return self.rng.choice(["-j ACCEPT", "-j DROP", "-j RETURN", ""])


def _full(place: Place) -> str:
    return "255.255.255.255" if place.family == 4 else "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
