"""The judge: what the Linux kernel does with a packet.

A private namespace has a TUN device for each device of a topology. A write to a TUN device runs the whole way of the
packet (receive, hooks, routing, transmit into the other device's ring) before it returns; so when it has returned, the
result can be read, and a poll that finds nothing proves that the packet was dropped.

What is addressed to the box itself is logged at the very end of INPUT and dropped there, so that the box's own stack
never answers. That chain is registered before connection tracking, and for equal priorities the older hook runs last:
the entry is confirmed by then.
"""

from __future__ import annotations

import os
import re
import select
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.kernel.entry import Entry, entry_of
from tests.kernel.netlink import ConntrackTable, LoggedPackets, QueuedPackets
from tests.kernel.netns import NetworkNamespace
from tests.kernel.outcome import Outcome, outcome_of
from tests.kernel.tun import Tun

_GROUP = 7
_SINK = "end"
_STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")

# The order of the two tables counts: see the module's first words.
_SINK_TABLE = """
table {family} judge_sink {{
 chain input {{
  type filter hook input priority 2147483647; policy accept;
  log prefix "{sink}" group {group} queue-threshold 1
  drop
 }}
}}
"""
_PROBE_TABLE = """
table {family} judge_probe {{
 chain states {{
{states}
 }}
 chain prerouting {{
  type filter hook prerouting priority 200; policy accept;
  jump states
 }}
 chain output {{
  type filter hook output priority -50; policy accept;
  jump states
 }}
}}
"""

_SYSCTLS = {
    "net.ipv4.ip_forward": 1,
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.all.send_redirects": 0,
    "net.ipv4.icmp_ratelimit": 0,  # a limited REJECT would be an outcome of the clock
}
_OPTIONAL_SYSCTLS = {
    # Per namespace since Linux 6.13; before, a child namespace has no such file and nothing is limited in it.
    "net.ipv4.icmp_msgs_per_sec": 1_000_000_000,
    "net.ipv4.icmp_msgs_burst": 1_000_000_000,
}
_SYSCTLS_6 = {
    "net.ipv6.conf.all.forwarding": 1,
    "net.ipv6.icmp.ratelimit": 0,
    "net.ipv6.auto_flowlabels": 0,  # a packet of the box would carry a random label
}
_QUIET_DEVICE_6 = {
    "addr_gen_mode": 1,
    "accept_ra": 0,
    "accept_dad": 0,
    "router_solicitations": 0,
}


class Judge:
    """A box in a namespace of its own: the topology that ``kdp.Host`` takes, judged by the kernel.

    ``topology``: ``devs`` (addresses with their prefix lengths, by device name), ``routes`` (pairs of network and
    device), ``default``, ``sysctl``, ``lo_addrs``.
    """

    def __init__(self, topology: Mapping[str, Any]) -> None:
        self._devices: Mapping[str, Sequence[str]] = topology["devs"]
        addresses = [*topology.get("lo_addrs", ()), *(a for own in self._devices.values() for a in own)]
        self._families = ["ip", "ip6"] if any(":" in address for address in addresses) else ["ip"]
        self._is_closed = False
        self._queue: QueuedPackets | None = None
        self._queued: list[int] = []
        self._netns = NetworkNamespace()
        with self._netns.inside():
            self._tuns = {name: Tun(name) for name in self._devices}
            self._table = ConntrackTable()
            self._logged = LoggedPackets(_GROUP)
            self._raw = {4: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)}
            if "ip6" in self._families:
                self._raw[6] = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._set_up(topology)
        self._poll = select.poll()
        self._readable = {tun.fd: tun for tun in self._tuns.values()}
        for descriptor in (*self._readable, self._logged.fileno()):
            self._poll.register(descriptor, select.POLLIN)
        self._collect()

    def _set_up(self, topology: Mapping[str, Any]) -> None:
        for name in self._tuns:
            self._quieten(name)
        self._netns.run(["ip", "-batch", "-"], "".join(f"{line}\n" for line in self._links(topology)))
        # After the devices: a router that comes first announces itself on each by multicast.
        defaults = _SYSCTLS | (_SYSCTLS_6 if "ip6" in self._families else {})
        for key, value in defaults.items():
            self._netns.sysctl(key, value)
        for key, value in _OPTIONAL_SYSCTLS.items():
            self._netns.sysctl(key, value, optional=True)
        for key, value in topology.get("sysctl", {}).items():
            self._netns.sysctl(key, value)
        states = "".join(
            f'  ct state {s.lower()} log prefix "{s}" group {_GROUP} queue-threshold 1\n' for s in _STATES
        )
        for template in (_SINK_TABLE, _PROBE_TABLE):
            for family in self._families:
                text = template.format(family=family, sink=_SINK, group=_GROUP, states=states)
                self._netns.run(["nft", "-f", "-"], text)

    def _quieten(self, name: str) -> None:
        for key in ("rp_filter", "send_redirects"):
            self._netns.sysctl(f"net.ipv4.conf.{name}.{key}", 0)
        if "ip6" in self._families:
            for key, value in _QUIET_DEVICE_6.items():
                self._netns.sysctl(f"net.ipv6.conf.{name}.{key}", value)
        else:
            self._netns.sysctl(f"net.ipv6.conf.{name}.disable_ipv6", 1, optional=True)

    def _links(self, topology: Mapping[str, Any]) -> list[str]:
        def address(text: str, name: str) -> str:
            return f"addr add {text} dev {name}" + (" nodad" if ":" in text else "")

        lines = ["link set dev lo up", *(address(text, "lo") for text in topology.get("lo_addrs", ()))]
        for name, addresses in self._devices.items():
            lines.append(f"link set dev {name} txqueuelen 1000 multicast off")
            lines += [address(text, name) for text in addresses]
            lines.append(f"link set dev {name} up")
        lines += [f"route replace {to} dev {device}" for to, device in topology.get("routes", ())]
        if topology.get("default"):
            everywhere = {"ip": "0.0.0.0/0", "ip6": "::/0"}
            lines += [f"route replace {everywhere[f]} dev {topology['default']}" for f in self._families]
        return lines

    def load_rules(self, text: str, *, tool: str = "iptables", flush: bool = True) -> None:
        """Load what ``tool``-restore takes (``iptables``, ``ip6tables``, their ``-legacy`` kin), or ``nft``."""
        if tool == "nft":
            self._netns.run(["nft", "-f", "-"], text)
            return
        self._netns.run([f"{tool}-restore", *([] if flush else ["--noflush"])], text)

    def load_nft(self, text: str) -> None:
        """Load what ``nft -f`` takes."""
        self._netns.run(["nft", "-f", "-"], text)

    def sysctl(self, key: str, value: int | str) -> None:
        """Set a sysctl of the namespace."""
        self._netns.sysctl(key, value)

    def tun(self, name: str) -> Tun:
        """A device, for whoever measures."""
        return self._tuns[name]

    def hold(self) -> None:
        """Listen on queue 0: what a rule hands there is ``queued`` until it is released."""
        with self._netns.inside():
            self._queue = QueuedPackets(0)

    def release(self) -> Outcome:
        """Accept the packet that has been queued for longest."""
        assert self._queue is not None, "nobody listens on the queue"
        self._queue.accept(self._queued.pop(0))
        outs, local, states = self._collect()
        verdict = "forward" if outs else "local" if local else "drop"
        return Outcome(verdict, tuple(outs), tuple(local), tuple(states))

    @property
    def queued(self) -> int:
        """How many packets wait in the queue."""
        return len(self._queued)

    def command(self, words: Sequence[str]) -> tuple[int, str]:
        """Run a command in the namespace: its exit status, and all that it printed."""
        done = self._netns.attempt(words)
        self._collect()  # routes and devices that change may make the box speak
        return done

    def listing(self, tool: str) -> str:
        """The rules with their counters, as iptables-save or nft lists them, without the judge's own."""
        if tool != "nft":
            return self._netns.run([f"{tool}-save", "-c"])
        text = self._netns.run(["nft", "list", "ruleset"])
        tables = re.split(r"(?m)^(?=table )", text)
        return "".join(table for table in tables if " judge_" not in table.split("{", 1)[0])

    def receive(self, device: str, packet: bytes) -> Outcome:
        """Let a packet arrive by a device."""
        self._tuns[device].write(packet)
        outs, local, states = self._collect()
        if self._is_held():
            return Outcome("queued", tuple(outs), tuple(local), tuple(states))
        return outcome_of(packet, device, outs, local, states)

    def _is_held(self) -> bool:
        taken = self._queue.take() if self._queue else []
        self._queued += taken
        return bool(taken)

    def send_local(self, packet: bytes) -> Outcome:
        """Send a packet as a process on the box would."""
        error = None
        version = packet[0] >> 4
        to = socket.inet_ntop(
            *((socket.AF_INET6, packet[24:40]) if version == 6 else (socket.AF_INET, packet[16:20]))
        )
        try:
            self._raw[version].sendto(packet, (to, 0))
        except OSError as raised:
            error = raised
        outs, local, states = self._collect()
        if error is not None and not outs and not local:
            return Outcome(f"error:{os.strerror(error.errno or 0)}", (), (), tuple(states))
        return outcome_of(packet, None, outs, local, states)

    def conntrack(self) -> list[Entry]:
        """The entries of the table, both families."""
        families = [socket.AF_INET, socket.AF_INET6][: len(self._families)]
        return [entry_of(block) for family in families for block in self._table.entries(family)]

    def _collect(self) -> tuple[list[tuple[str, bytes]], list[bytes], list[str]]:
        outs: list[tuple[str, bytes]] = []
        logged: list[tuple[str, bytes]] = []
        while ready := self._poll.poll(0):
            for descriptor, _ in ready:
                tun = self._readable.get(descriptor)
                if tun is None:
                    logged += self._logged.take()
                else:
                    outs += [(tun.name, packet) for packet in tun.take()]
        local = [packet for prefix, packet in logged if prefix == _SINK]
        return outs, local, sorted(prefix for prefix, _ in logged if prefix != _SINK)

    def close(self) -> None:
        """End the namespace with all that is in it; once more does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        closable: Sequence[Any] = (
            *self._tuns.values(),
            *self._raw.values(),
            self._table,
            self._logged,
            *([self._queue] if self._queue else []),
            self._netns,
        )
        for thing in closable:
            thing.close()


MakeJudge = Callable[[Mapping[str, Any]], Judge]
"""What the fixture ``judge`` is: it makes judges and ends them with the test."""
