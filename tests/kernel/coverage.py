"""What of the rule languages, connection tracking and hooks a run has really passed, with counts.

A match or target counts when a rule that has it matched a packet: the kernel's own counters say so. What the generator
can write is listed here; what a long run never passed fails it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.kernel.entry import Entry

_WORD = re.compile(r'"[^"]*"|\S+')
_HEADER = {"-s", "-d", "-i", "-o", "-p", "-f"}
_NFT_HIT = re.compile(r"counter packets ([1-9]\d*) bytes")
_NFT_TYPE = re.compile(r"type (\w+) hook (\w+) priority")

IPTABLES = [
    *("-s", "-d", "-i", "-o", "-p"),
    *(
        "tcp --dport",
        "tcp --sport",
        "tcp --tcp-flags",
        "udp --dport",
        "udp --sport",
        "sctp --dport",
        "sctp --sport",
    ),
    *(
        "multiport --dports",
        "multiport --sports",
        "multiport --ports",
        "icmp --icmp-type",
        "icmp6 --icmpv6-type",
    ),
    *("conntrack --ctstate", "conntrack --ctdir", "conntrack --ctstatus", "conntrack --ctproto"),
    *("conntrack --ctorigsrc", "conntrack --ctorigdst", "conntrack --ctreplsrc", "conntrack --ctrepldst"),
    *("conntrack --ctorigsrcport", "conntrack --ctorigdstport", "conntrack --ctreplsrcport"),
    *("conntrack --ctrepldstport", "conntrack --ctexpire", "state --state", "mark --mark", "connmark --mark"),
    *("statistic --mode nth", "statistic --mode random", "addrtype --dst-type", "addrtype --src-type"),
    *(
        "addrtype --limit-iface-in",
        "length --length",
        "limit --limit",
        "iprange --src-range",
        "iprange --dst-range",
    ),
    *("tos --tos", "dscp --dscp", "ttl --ttl-eq", "ttl --ttl-lt", "ttl --ttl-gt", "hl --hl-eq", "hl --hl-lt"),
    *(
        "hl --hl-gt",
        "tcpmss --mss",
        "comment --comment",
        "recent --set",
        "recent --update",
        "recent --rcheck",
    ),
    *("recent --remove", "rpfilter"),
    *(
        "-j ACCEPT",
        "-j DROP",
        "-j RETURN",
        "-j REJECT",
        "-j MARK",
        "-j CONNMARK",
        "-j TOS",
        "-j DSCP",
        "-j TTL",
    ),
    *(
        "-j HL",
        "-j TCPMSS",
        "-j CHECKSUM",
        "-j LOG",
        "-j NFLOG",
        "-j NFQUEUE",
        "-j CT --notrack",
        "-j CT --zone",
    ),
    *(
        "-j CT --zone-orig",
        "-j CT --zone-reply",
        "-j DNAT",
        "-j SNAT",
        "-j MASQUERADE",
        "-j REDIRECT",
        "-j NETMAP",
    ),
    *("jump", "goto"),
]
NFT = [
    *(
        "ip saddr",
        "ip daddr",
        "ip6 saddr",
        "ip6 daddr",
        "iifname",
        "oifname",
        "tcp dport",
        "tcp sport",
        "tcp flags",
    ),
    *(
        "udp dport",
        "sctp dport",
        "th dport",
        "icmp type",
        "icmpv6 type",
        "meta l4proto",
        "ip protocol",
        "meta mark",
    ),
    *(
        "meta length",
        "ip ttl",
        "ip6 hoplimit",
        "ip dscp",
        "ip6 dscp",
        "ct state",
        "ct status",
        "ct direction",
    ),
    *(
        "ct mark",
        "ct original",
        "ct reply",
        "ct expiration",
        "ct packets",
        "ct state vmap",
        "fib",
        "numgen inc",
    ),
    *(
        "limit rate",
        "limit name",
        "quota",
        "quota name",
        "@set",
        "{ set }",
        "range",
        "vmap",
        "map",
        "add @",
        "update @",
    ),
    *(
        "delete @",
        "counter name",
        "accept",
        "drop",
        "return",
        "continue",
        "jump",
        "goto",
        "reject",
        "dnat",
        "snat",
    ),
    *("masquerade", "redirect", "notrack", "meta mark set", "ct mark set", "dscp set"),
]
HOOKS = [
    *("raw PREROUTING", "raw OUTPUT", "mangle PREROUTING", "mangle INPUT", "mangle FORWARD", "mangle OUTPUT"),
    *("mangle POSTROUTING", "nat PREROUTING", "nat INPUT", "nat OUTPUT", "nat POSTROUTING", "filter INPUT"),
    *("filter FORWARD", "filter OUTPUT", "security INPUT", "security FORWARD", "security OUTPUT"),
    *("nft filter prerouting", "nft filter input", "nft filter forward", "nft filter output"),
    *(
        "nft filter postrouting",
        "nft nat prerouting",
        "nft nat input",
        "nft nat output",
        "nft nat postrouting",
    ),
    "nft route output",
]
STATES = [
    *("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"),
    *("tcp SYN_SENT", "tcp SYN_RECV", "tcp ESTABLISHED", "tcp FIN_WAIT", "tcp CLOSE_WAIT", "tcp LAST_ACK"),
    *("tcp TIME_WAIT", "tcp CLOSE", "tcp SYN_SENT2"),
    *("proto udp", "proto icmp", "proto icmpv6", "proto sctp", "proto 47", "proto 50", "proto 136"),
    *("ASSURED", "SEEN_REPLY", "SRC_NAT", "DST_NAT"),
]
WANTED: dict[str, list[str]] = {"iptables": IPTABLES, "nft": NFT, "hooks": HOOKS, "states": STATES}


class Coverage:
    """Counts by kind (``iptables``, ``nft``, ``hooks``, ``states``) and name."""

    def __init__(self) -> None:
        self.hits: dict[str, Counter[str]] = {kind: Counter() for kind in WANTED}

    def take(self, listings: Mapping[str, str], entries: Iterable[Entry], states: Mapping[str, int]) -> None:
        """Add what one world's rules, table and packets say."""
        for tool, text in listings.items():
            if tool == "nft":
                self._nft(text)
            else:
                self._iptables(text)
        self.hits["states"].update(states)
        for entry in entries:
            self._entry(entry)

    def never(self) -> list[str]:
        """What is wanted and was never passed."""
        return [
            f"{kind}: {name}" for kind, names in WANTED.items() for name in names if not self.hits[kind][name]
        ]

    def _entry(self, entry: Entry) -> None:
        found = self.hits["states"]
        found[f"proto {entry['orig']['proto']}"] += 1
        if "tcp" in entry:
            found[f"tcp {entry['tcp']['state']}"] += 1
        found.update(
            flag for flag in entry["flags"] if flag in ("ASSURED", "SEEN_REPLY", "SRC_NAT", "DST_NAT")
        )

    def _iptables(self, text: str) -> None:
        table = ""
        for line in text.splitlines():
            if line.startswith("*"):
                table = line[1:]
            elif policy := re.match(r":(\S+) [A-Z]+ \[(\d+):", line):
                self.hits["hooks"][f"{table} {policy[1]}"] += int(policy[2])
            elif rule := re.match(r"\[(\d+):\d+\] -A (\S+) ?(.*)", line):
                count = int(rule[1])
                self.hits["hooks"][f"{table} {rule[2]}"] += count
                if count:
                    self.hits["iptables"].update(dict.fromkeys(features_of_iptables(rule[3]), count))

    def _nft(self, text: str) -> None:
        chain = ""
        for line in map(str.strip, text.splitlines()):
            if line.startswith("chain "):
                chain = ""
            elif base := _NFT_TYPE.search(line):
                chain = f"nft {base[1]} {base[2]}"
            elif hit := _NFT_HIT.search(line):
                count = int(hit[1])
                self.hits["nft"].update(dict.fromkeys(features_of_nft(line), count))
                if chain:
                    self.hits["hooks"][chain] += count


def features_of_iptables(rule: str) -> set[str]:
    """The matches with their options, and the target, of a rule as iptables-save prints it."""
    found: set[str] = set()
    module = ""
    words = _WORD.findall(rule)
    for place, word in enumerate(words):
        if word in _HEADER:
            found.add(word)
        elif word in ("-m", "-j", "-g"):
            module = words[place + 1] if word == "-m" else f"-j {words[place + 1]}"
            if word == "-g":
                found.add("goto")
            elif word == "-j":
                found.add(
                    "jump"
                    if f"-j {words[place + 1]}" not in IPTABLES and not module.startswith("-j CT")
                    else module
                )
            elif module == "rpfilter":
                found.add(module)
        elif word.startswith("--") and module:
            option = f"{module} {word}"
            found.add(f"{option} {words[place + 1]}" if word == "--mode" else option)
    return found


def features_of_nft(rule: str) -> set[str]:
    """The expressions and statements of a rule as nft lists it."""
    shapes = {
        "@set": r" @\w+",
        "{ set }": r"[a-z] (?:!= )?\{ ",
        "range": r"\d-\d",
        "map": r" map ",
        "vmap": r" vmap ",
        "ct state vmap": r"ct state vmap ",
        "add @": r"(?:^| )add @",
        "update @": r"(?:^| )update @",
        "delete @": r"(?:^| )delete @",
        "dscp set": r"dscp set ",
        "quota": r"quota (?:over )?\d",
    }
    plain = [name for name in NFT if name not in shapes]
    found = {name for name in plain if re.search(rf"(?:^|[ .]){re.escape(name)}(?: |$)", rule)}
    return found | {name for name, shape in shapes.items() if re.search(shape, rule)}
