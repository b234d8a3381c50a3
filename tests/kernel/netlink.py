"""Netlink, as far as the judge needs it: packets that a rule logged, and the connection tracking table.

Source: include/uapi/linux/netlink.h, netfilter/nfnetlink_log.h,
netfilter/nfnetlink_queue.h, netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

_NETLINK_NETFILTER = 12
_REQUEST, _ACK, _DUMP = 0x01, 0x04, 0x300
_ERROR, _DONE = 2, 3
_SUBSYSTEM_CONNTRACK, _SUBSYSTEM_QUEUE, _SUBSYSTEM_LOG = 1, 3, 4


def attributes(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Each attribute of a block: its type without the flag bits, and its value."""
    at = 0
    while at + 4 <= len(block):
        length, kind = struct.unpack_from("=HH", block, at)
        if length < 4:
            return
        yield kind & 0x3FFF, block[at + 4 : at + length]
        at += length + 3 & ~3


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


class NetfilterSocket:
    """A netlink socket; it belongs to the namespace in which it was made."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _send(
        self, subsystem: int, message: int, flags: int, family: int, resource: int, body: bytes
    ) -> None:
        self._sequence += 1
        payload = struct.pack("!BBH", family, 0, resource) + body
        kind = subsystem << 8 | message
        head = struct.pack("=IHHII", 16 + len(payload), kind, flags | _REQUEST, self._sequence, 0)
        self._socket.send(head + payload)

    def _messages(self) -> Iterator[tuple[int, bytes]]:
        data = self._socket.recv(1 << 20)
        at = 0
        while at + 16 <= len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            yield kind, data[at + 16 : at + length]
            at += length + 3 & ~3

    def _acknowledged(self) -> None:
        for kind, body in self._messages():
            assert kind == _ERROR, f"netlink answered with message {kind} where an acknowledgement was due"
            (number,) = struct.unpack_from("=i", body)
            if number:
                raise OSError(-number, f"netlink: {os.strerror(-number)}")


class LoggedPackets(NetfilterSocket):
    """Packets that a rule with ``log group`` saw, each with the rule's prefix, as soon as the rule saw them."""

    def __init__(self, group: int) -> None:
        super().__init__()
        self._configure(group, attribute(1, b"\x01"))  # bind this group
        self._configure(group, attribute(2, struct.pack("!IBx", 0xFFFF, 2)))  # copy whole packets
        self._configure(group, attribute(5, struct.pack("!I", 1)))  # hand over each at once
        self._socket.setblocking(False)

    def _configure(self, group: int, body: bytes) -> None:
        self._send(_SUBSYSTEM_LOG, 1, _ACK, 0, group, body)
        self._acknowledged()

    def fileno(self) -> int:
        """For poll: readable means that there is a packet."""
        return self._socket.fileno()

    def take(self) -> list[tuple[str, bytes]]:
        """All that came since the last call: (prefix, packet)."""
        taken: list[tuple[str, bytes]] = []
        while True:
            try:
                messages = list(self._messages())
            except BlockingIOError:
                return taken
            for kind, body in messages:
                if kind == _SUBSYSTEM_LOG << 8:
                    values = dict(attributes(body[4:]))
                    taken.append((values.get(10, b"").rstrip(b"\0").decode(), values.get(9, b"")))


class QueuedPackets(NetfilterSocket):
    """Packets that a rule hands to a queue, by number; each waits in the kernel for its verdict."""

    _ACCEPT = 1

    def __init__(self, queue: int) -> None:
        super().__init__()
        self._number = queue
        self._configure(attribute(1, struct.pack("!BxH", 1, socket.AF_INET)))  # bind this queue
        self._configure(attribute(2, struct.pack("!IB", 0xFFFF, 2)))  # copy whole packets
        self._socket.setblocking(False)

    def _configure(self, body: bytes) -> None:
        self._send(_SUBSYSTEM_QUEUE, 2, _ACK, 0, self._number, body)
        self._acknowledged()

    def take(self) -> list[int]:
        """The numbers of the packets that came since the last call."""
        taken: list[int] = []
        while True:
            try:
                messages = list(self._messages())
            except BlockingIOError:
                return taken
            for kind, body in messages:
                if kind == _SUBSYSTEM_QUEUE << 8:
                    (number,) = struct.unpack_from("!I", dict(attributes(body[4:]))[1])
                    taken.append(number)

    def accept(self, number: int) -> None:
        """Let a packet go on behind the rule that handed it over."""
        verdict = attribute(2, struct.pack("!II", self._ACCEPT, number))
        self._send(_SUBSYSTEM_QUEUE, 1, 0, 0, self._number, verdict)


class ConntrackTable(NetfilterSocket):
    """The connection tracking table of the namespace in which this was made."""

    def entries(self, family: int) -> list[bytes]:
        """Attributes of each entry; ``family``: ``socket.AF_INET`` or ``AF_INET6``."""
        self._send(_SUBSYSTEM_CONNTRACK, 1, _DUMP, family, 0, b"")
        found: list[bytes] = []
        while True:
            for kind, body in self._messages():
                if kind == _DONE:
                    return found
                assert kind != _ERROR, "the kernel refused to list its connection tracking table"
                found.append(body[4:])
