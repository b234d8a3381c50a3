"""Files of rules as the tools write them: whose they are, loaded into a box, and the line that each rule stands on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdp.errors import KdpError, LoadError, from_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kdp.host import Host
    from kdp.sources import Source

__all__ = ["RuleFile", "RuleLines", "load_rule_files", "read_rule_files", "rule_line", "tool_of"]

TOOLS = ("iptables", "ip6tables", "nft", "ipset")
NFT_WORDS = {"table", "add", "create", "flush", "delete", "insert", "define", "include", "reset", "destroy"}
IPSET = re.compile(r"(create|add|-N|-A)\s+\S+\s")
IPSET_CREATE = re.compile(r"create\s+\S+\s+(hash|bitmap|list):")
ADDRESS_6 = re.compile(r"(?:^|\s)(?:-s|-d|--to-source|--to-destination)\s+\[?[0-9a-fA-F]*:[0-9a-fA-F:]*")
WORDS_6 = ("-p ipv6-icmp", "-p icmpv6", "icmp6-", "--icmpv6-type", "-m ipv6header", "ip6tables-save")

Key = tuple[str, str, str]
"""Family (``4``, ``6``; empty for nft, whose tables name theirs), table, chain."""


@dataclass(frozen=True)
class RuleFile:
    """A file's name, its text, and the tool that takes it."""

    name: str
    text: str
    tool: str


def tool_of(text: str) -> str:
    """Whose text it is: ``iptables``, ``ip6tables``, ``nft`` or ``ipset``. Rules that fit both families are IPv4's."""
    first = next(
        (line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")), ""
    )
    if IPSET_CREATE.search(text) and IPSET.match(first):
        return "ipset"
    if first.split(" ", 1)[0].rstrip("{") in NFT_WORDS:
        return "nft"
    is_v6 = any(word in text for word in WORDS_6) or ADDRESS_6.search(text)
    return "ip6tables" if is_v6 else "iptables"


def read_rule_files(sources: Sequence[Source]) -> list[RuleFile]:
    """Find out whose rules each text is."""
    files = []
    for name, data in sources:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise LoadError("source-not-text", f"{name}: it is not UTF-8 text") from None
        files.append(RuleFile(name, text, tool_of(text)))
    return files


def load_rule_files(host: Host, files: Sequence[RuleFile]) -> None:
    """Load them in order, sets of ipset first. An error says which file it is about."""
    for file in sorted(files, key=lambda file: file.tool != "ipset"):
        try:
            host.load_rules(file.text, tool=file.tool)
        except KdpError as error:
            message = error.message.removeprefix(f"{file.tool}:")
            joint = ":" if message[:1].isdigit() else ": "
            raise from_code(error.code, f"{file.name}{joint}{message}") from None


class RuleLines:
    """Where each rule stands: by chain, the places of its rules in order."""

    def __init__(self, files: Sequence[RuleFile]) -> None:
        self._places: dict[Key, list[str]] = {}
        for file in files:
            if file.tool == "ipset":
                continue
            if file.tool == "nft":
                found = list(_nft_rules(file.text))
            else:
                found = list(_iptables_rules(file.text, "6" if file.tool == "ip6tables" else "4"))
                for family, table in {(family, table) for (family, table, _), _ in found}:
                    self._forget(family, table)  # a restore flushes the tables that it names
            for key, line in found:
                self._places.setdefault(key, []).append(f"{file.name}:{line}")

    def _forget(self, family: str, table: str) -> None:
        for key in [key for key in self._places if key[:2] == (family, table)]:
            del self._places[key]

    def place(self, *, is_v6: bool, table: str, chain: str, number: int) -> str | None:
        """``FILE:LINE`` of the rule of that number, from 1; None where that is not known."""
        family = "" if " " in table else "6" if is_v6 else "4"
        places = self._places.get((family, table, chain), [])
        return places[number - 1] if 0 < number <= len(places) else None


def _iptables_rules(text: str, family: str) -> Iterator[tuple[Key, int]]:
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("*"):
            table = line[1:].strip()
        found = re.match(r"(?:\[\d+:\d+\] )?-A (\S+)", line)
        if found:
            yield (family, table, found[1]), number


def _nft_rules(text: str) -> Iterator[tuple[Key, int]]:
    """Rules of a listing, one for each line of a chain that begins one; rules of a script's ``add rule``."""
    table, chain, depth = "", "", 0
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        words = bare.split()
        if depth == 0 and words[:2] == ["add", "rule"] and len(words) > 4:
            has_family = words[2] in ("ip", "ip6", "inet", "arp", "bridge", "netdev")
            family, name, at = (words[2], words[3], words[4]) if has_family else ("ip", words[2], words[3])
            yield ("", f"{family} {name}", at), number
            continue
        if depth == 0 and words[:1] == ["table"]:
            table = " ".join(words[1:3]) if len(words) > 2 and words[2] != "{" else f"ip {words[1]}"
        elif depth == 1 and words:
            chain = words[1] if words[0] == "chain" and len(words) > 1 else ""
        elif depth == 2 and chain and words and bare[0] not in "}#" and not _is_header(words):
            yield ("", table, chain), number
        depth += bare.count("{") - bare.count("}")


def _is_header(words: Sequence[str]) -> bool:
    return (words[0] == "type" and "hook" in words) or words[0] in ("policy", "comment", "flags", "devices")


def rule_line(text: str, tool: str, table: str, chain: str, number: int) -> tuple[int, int]:
    """The first and last line of a rule in what the tool lists, by its number from 1."""
    rules = _nft_rules(text) if tool == "nft" else _iptables_rules(text, "")
    wanted = ("", table, chain)
    places = [line for key, line in rules if key == wanted]
    first = places[number - 1]
    last, depth = first, 0
    for at, line in enumerate(text.splitlines()[first - 1 :], first):
        depth += line.count("{") - line.count("}")
        last = at
        if tool != "nft" or depth <= 0:
            break
    return first, last
