"""One Linux box: bytes in by a device, bytes out by another, and the table that remembers them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from kdp import _core
from kdp.errors import RuleError, UnsupportedRuleError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kdp.packets import Packets, PacketsResult

__all__ = ["Host", "PacketResult"]

_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}


@dataclass(frozen=True)
class PacketResult:
    """What became of a packet.

    ``verdict``: ``forward``, ``local``, ``drop``, ``reject``, ``local+out``, or ``error:`` and the errno's text.
    ``outs``: (device, bytes) of each packet that left. ``local``: packets that the box took for itself.
    ``ctstate``: the packet's state in connection tracking, a word for each pass through PREROUTING or OUTPUT.
    ``reason``: why it went no further; None where it did. ``rules_walked``: rules that were looked at.
    ``steps``: the walk through hooks, chains and rules, as docs/json-output.md describes events.
    """

    verdict: str
    outs: tuple[tuple[str, bytes], ...] = ()
    local: tuple[bytes, ...] = ()
    ctstate: tuple[str, ...] = ()
    reason: str | None = None
    rules_walked: int = field(default=0, compare=False)
    steps: tuple[Mapping[str, Any], ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, answer: bytes) -> PacketResult:
        """Read the JSON that the core answers with."""
        found = json.loads(answer)
        return cls(
            verdict=found["verdict"],
            outs=tuple((device, bytes.fromhex(packet)) for device, packet in found["outs"]),
            local=tuple(bytes.fromhex(packet) for packet in found["local"]),
            ctstate=tuple(found["ctstate"]),
            reason=found.get("reason"),
            rules_walked=found.get("rules_walked", 0),
            steps=tuple(found.get("steps", ())),
        )


class Host:
    """A router with devices, addresses, routes, rules and connection tracking, on a clock of its own.

    ``topology``: ``devs`` (addresses with their prefix lengths, by device name), and where wanted ``routes`` (pairs of
    network and device), ``default`` (the device of the default route), ``sysctl`` (values by name), ``lo_addrs``
    (addresses on ``lo``). ``seed``: the same seed draws the same ports and endpoints.
    Rules that hold what is not modelled are refused with ``UnsupportedRuleError``, all or nothing.

    >>> host = Host({"devs": {"eth0": ["192.0.2.1/24"]}})
    >>> host.receive("eth0", bytes.fromhex("45000014000000004000f6dfc0000209c0000201")).verdict
    'local'
    """

    def __init__(self, topology: Mapping[str, Any], *, seed: int = 1) -> None:
        self._core = _core.Host(json.dumps(topology), seed)
        self._now = 0

    @property
    def now(self) -> int:
        """Virtual time in nanoseconds since the box was made."""
        return self._now

    def advance(self, ns: int) -> None:
        """Let ``ns`` nanoseconds pass: entries may expire, session affinity may end."""
        assert ns >= 0, "virtual time never goes back"
        self._now += ns

    def load_rules(self, text: str, *, tool: str = "iptables", flush: bool = True) -> None:
        """Load what ``iptables-restore`` (or ``ip6tables``) takes; ``flush`` False is its ``--noflush``.

        With ``tool="nft"`` what ``nft -f`` takes: it adds to what is there unless it says ``flush`` itself.
        With ``tool="ipset"`` what ``ipset restore`` takes; sets come before the rules that ask for them.
        """
        if tool in ("nft", "ipset"):
            self._core.load_rules(tool, text, noflush=True, now=self._now)
        else:
            self._core.load_rules(tool, text, not flush)

    def rules(self, *, tool: str = "iptables") -> str:
        """The rules as ``iptables-save`` lists them, with ``tool="nft"`` as ``nft list ruleset`` does.

        With ``tool="ipset"`` the sets as ``ipset -sorted save`` lists them.
        """
        return self._core.rules(tool, self._now)

    def receive(self, device: str, packet: bytes, *, mark: int = 0) -> PacketResult:
        """Let a packet (IPv4 or IPv6, from its IP header on) arrive by a device, with a mark if it has one there."""
        return PacketResult.of(self._core.receive(device, packet, self._now, mark))

    def send_local(self, packet: bytes, *, mark: int = 0) -> PacketResult:
        """Send a packet as a process on the box does through a raw socket, with the mark of its socket."""
        return PacketResult.of(self._core.send_local(packet, self._now, mark))

    @property
    def devices(self) -> list[str]:
        """The names of the devices, ``lo`` first."""
        return self._core.devices()

    def way_in(self, src: str) -> str | None:
        """The device by which a packet from ``src`` comes if it comes by the way back.

        Empty for the box's own addresses, None where no route leads back.
        """
        return self._core.way_in(src)

    def packet(self, line: str, *, device: str | None = None) -> PacketResult:
        """Send a packet that a line of text describes (docs/packets.md): ``"tcp 10.0.0.9:4000 > 10.96.0.10:80 S"``.

        It comes in by the device that the line names, else by ``device``, else by the way back to its source.
        """
        from kdp.packet_run import PacketRun

        return PacketRun(self, device).send(line).result

    def send(self, packets: Packets) -> PacketsResult:
        """Send a batch of packets with complete headers, in order. The result equals that of one packet after another.

        Times are those of the batch; the clock of the box is behind them afterwards.
        """
        from kdp.packets import PacketsResult

        sources = set(packets.src.tolist()) if packets.device is None else ()
        ways = {source: self.way_in(str(IPv4Address(source))) for source in sources}
        columns = packets.core_columns(self.devices, ways, self._now)
        result = PacketsResult(packets, self.devices, self._core.send_packets(columns))
        if len(packets):
            self._now = int(columns["time_ns"][-1])
        return result

    def conntrack(self) -> list[dict[str, Any]]:
        """The connection tracking entries: orig, reply, flags, timeout (seconds), mark, zone; tcp.state, sctp.state."""
        return [_entry(found) for found in json.loads(self._core.conntrack(self._now))]

    def conntrack_tool(self, *arguments: str) -> dict[str, Any]:
        """Run a command of the conntrack tool (``"-D", "-p", "udp"``): its exit status ``rc``, ``count``, ``text``."""
        found: dict[str, Any] = json.loads(self._core.tool(arguments, self._now))
        return found

    def ip(self, *arguments: str) -> int:
        """Run a command of the ``ip`` tool (``"route", "add", "blackhole", "10.7.0.0/16"``): its exit status."""
        return self._core.ip(arguments)

    def hold(self, *, holds: bool = True) -> None:
        """Let a process listen on every ``NFQUEUE``: packets that come there are ``queued`` until they are released."""
        self._core.hold(holds)

    def release(self, number: int) -> PacketResult:
        """Accept the packet that was queued as the ``number``-th, from 0."""
        return PacketResult.of(self._core.release(number, self._now))

    def set_sysctl(self, name: str, value: int | str) -> None:
        """Set a sysctl by its name as in sysctl.conf."""
        self._core.set_sysctl(name, str(value))

    def stats(self) -> dict[str, int]:
        """What connection tracking has counted: invalid, insert_failed, drop, early_drop, clash_resolve."""
        found: dict[str, int] = json.loads(self._core.stats())
        return found

    def recent(self, name: str, *, tool: str = "iptables") -> list[dict[str, Any]] | None:
        """A list of ``-m recent``: ``addr`` and ``stamps`` (ns) of each, oldest first; None if no rule names it."""
        found: list[dict[str, Any]] | None = json.loads(self._core.recent(tool, name))
        return found

    def counters(self, table: str = "filter", *, tool: str = "iptables") -> dict[str, dict[str, Any]]:
        """By chain: ``policy`` ([packets, bytes], or None) and ``rules``, a pair for each rule in order."""
        found: dict[str, dict[str, Any]] = json.loads(self._core.counters(tool, table))
        return found

    def nft(self, command: str) -> int:
        """Run one nft command (``add element ip t s { 10.0.0.1 }``). The exit status: 0, or 1 where it is refused.

        ``reset counters table …`` is one; what is not modelled raises ``UnsupportedRuleError``.
        """
        words = command.split()
        if words[:3] == ["reset", "counters", "table"]:
            family, table = words[3:] if len(words) == 5 else ("ip", words[3])
            return 0 if self._core.nft_reset_counters(family, table) else 1
        try:
            self.load_rules(command, tool="nft")
        except RuleError as error:
            if isinstance(error, UnsupportedRuleError):
                raise
            return 1
        return 0

    def nft_counters(self, table: str, *, family: str = "ip") -> dict[str, dict[str, int]]:
        """Named counters (``packets``, ``bytes``) and quotas (``quota``, ``consumed``) of a table of nftables."""
        found: dict[str, dict[str, int]] = json.loads(self._core.nft_counters(family, table))
        return found

    def nft_elements(self, table: str, name: str, *, family: str = "ip") -> list[Any]:
        """The keys of a set or map of nftables that are alive, in the form of ``nft -j``."""
        found: list[Any] = json.loads(self._core.nft_elements(family, table, name, self._now))
        return found


def _entry(found: Mapping[str, Any]) -> dict[str, Any]:
    """An entry in the words of ctnetlink: protocols by name, an echo's id as ``icmp_id``; counters where counted."""
    entry = {
        key: value for key, value in found.items() if key not in ("proto", "state", "acct_orig", "acct_reply")
    }
    for side in ("orig", "reply"):
        words = {"icmp_id" if key == "id" else key: value for key, value in found[side].items()}
        entry[side] = words | {"proto": _PROTOCOLS.get(words["proto"], str(words["proto"]))}
    if entry["orig"]["proto"] == "sctp" and found.get("state"):
        entry["sctp"] = {"state": found["state"]}
    counters = {key: found[key] for key in ("acct_orig", "acct_reply") if key in found}
    if any(counter["packets"] for counter in counters.values()):
        entry |= counters
    return entry
