"""Connection tracking entries, from the kernel's attributes to what kdp gives for its own."""

from __future__ import annotations

import socket
from typing import Any

from tests.kernel.netlink import attributes

Entry = dict[str, Any]
"""``orig``, ``reply``, ``flags``, ``timeout``, ``mark``, ``zone``; ``tcp.state``, ``sctp.state``; counters."""

# Source: include/uapi/linux/netfilter/nf_conntrack_common.h, enum ip_conntrack_status, in the order of the bits.
_STATUS = [
    "EXPECTED",
    "SEEN_REPLY",
    "ASSURED",
    "CONFIRMED",
    "SRC_NAT",
    "DST_NAT",
    "SEQ_ADJUST",
    "SRC_NAT_DONE",
    "DST_NAT_DONE",
    "DYING",
    "FIXED_TIMEOUT",
    "TEMPLATE",
    "NAT_CLASH",
    "HELPER",
    "OFFLOAD",
    "HW_OFFLOAD",
]
# Source: include/uapi/linux/netfilter/nf_conntrack_tcp.h, enum tcp_conntrack.
_TCP_STATES = [
    "NONE",
    "SYN_SENT",
    "SYN_RECV",
    "ESTABLISHED",
    "FIN_WAIT",
    "CLOSE_WAIT",
    "LAST_ACK",
    "TIME_WAIT",
    "CLOSE",
    "SYN_SENT2",
]
# Source: include/uapi/linux/netfilter/nf_conntrack_sctp.h, enum sctp_conntrack.
_SCTP_STATES = [
    "NONE",
    "CLOSED",
    "COOKIE_WAIT",
    "COOKIE_ECHOED",
    "ESTABLISHED",
    "SHUTDOWN_SENT",
    "SHUTDOWN_RECD",
    "SHUTDOWN_ACK_SENT",
    "HEARTBEAT_SENT",
]
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp"}
_TUPLE_NUMBERS = {
    2: "sport",
    3: "dport",
    4: "icmp_id",
    5: "type",
    6: "code",
    7: "icmp_id",
    8: "type",
    9: "code",
}


def entry_of(block: bytes) -> Entry:
    """An entry from the attributes of a ctnetlink message."""
    values = dict(attributes(block))
    status = _number(values[3])
    entry: Entry = {
        "orig": _tuple(values[1]),
        "reply": _tuple(values[2]),
        "flags": [name for bit, name in enumerate(_STATUS) if status >> bit & 1],
        "timeout": _number(values[7]) if 7 in values else None,
        "mark": _number(values.get(8, b"\0")),
        "zone": _number(values.get(18, b"\0")),
    }
    tracker = dict(attributes(values.get(4, b"")))
    if 1 in tracker:
        entry["tcp"] = {"state": _TCP_STATES[_number(dict(attributes(tracker[1]))[1])]}
    if 3 in tracker:
        entry["sctp"] = {"state": _SCTP_STATES[_number(dict(attributes(tracker[3]))[1])]}
    for key, kind in (("acct_orig", 9), ("acct_reply", 10)):
        if kind in values:
            counts = dict(attributes(values[kind]))
            entry[key] = {"packets": _number(counts[1]), "bytes": _number(counts[2])}
    return entry


def _tuple(block: bytes) -> Entry:
    parts = dict(attributes(block))
    addresses = [_address(value) for _, value in sorted(attributes(parts[1]))]
    numbers = dict(attributes(parts[2]))
    found: Entry = {"src": addresses[0], "dst": addresses[1]}
    found["proto"] = _PROTOCOLS.get(_number(numbers[1]), str(_number(numbers[1])))
    found |= {name: _number(numbers[kind]) for kind, name in _TUPLE_NUMBERS.items() if kind in numbers}
    return found


def _address(value: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(value) == 4 else socket.AF_INET6, value)


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big")
