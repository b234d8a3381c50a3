"""Batches of flows as numpy columns, and what became of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from kdp.arguments import bad_argument
from kdp.errors import UnsupportedError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kdp.cluster import Cluster

__all__ = ["VERDICTS", "FlowResult", "Flows"]

VERDICTS = ("forwarded", "delivered", "dropped", "rejected", "no-route", "unknown")
"""Names of the verdicts, by number: ``delivered`` means to the node itself; ``unknown``, that it hangs on a
test that asks for what is not known (``-m owner``)."""

PROTOCOLS: Mapping[str, int] = {"tcp": 6, "udp": 17}

Column: TypeAlias = Any
"""A scalar, a text, a list or an array; ``Flows`` says what each column takes."""


class Flows:
    """Five-tuples as columns: ``kdp.Flows(src=ips, sport=ports, dst="10.99.1.1", dport=3306, proto="tcp")``.

    Each column is ``(n,)``; a scalar is repeated to the length of the others. Addresses are uint32 in host byte
    order, or texts; ports are integers in 0..=65535; ``proto`` is ``tcp``, ``udp``, or a number. Arrays that
    already have the column's dtype are not copied here. IPv4 only today: ``flows-ipv6-not-modelled``.
    """

    __slots__ = ("dport", "dst", "proto", "sport", "src")

    def __init__(
        self, *, src: Column, sport: Column, dst: Column, dport: Column, proto: Column = "tcp"
    ) -> None:
        columns = {
            "src": _addresses("src", src),
            "sport": _whole_numbers("sport", sport, np.uint16),
            "dst": _addresses("dst", dst),
            "dport": _whole_numbers("dport", dport, np.uint16),
            "proto": _protocols(proto),
        }
        rows = _common_length(columns)
        self.src: NDArray[np.uint32] = _repeat(columns["src"], rows)
        self.sport: NDArray[np.uint16] = _repeat(columns["sport"], rows)
        self.dst: NDArray[np.uint32] = _repeat(columns["dst"], rows)
        self.dport: NDArray[np.uint16] = _repeat(columns["dport"], rows)
        self.proto: NDArray[np.uint8] = _repeat(columns["proto"], rows)

    def __len__(self) -> int:
        return len(self.src)

    def __repr__(self) -> str:
        return f"<kdp.Flows: {len(self):,} rows>"

    def __getitem__(self, rows: slice | NDArray[Any]) -> Flows:
        """Take some of the rows, by slice, mask or positions."""
        return Flows(
            src=self.src[rows],
            sport=self.sport[rows],
            dst=self.dst[rows],
            dport=self.dport[rows],
            proto=self.proto[rows],
        )

    def columns(self) -> dict[str, NDArray[Any]]:
        """Give the columns by name; no copy."""
        return {name: getattr(self, name) for name in ("src", "sport", "dst", "dport", "proto")}


class FlowResult:
    """What became of a batch: a row for each flow, in order.

    ``verdict`` is uint8, a position in ``kdp.flows.VERDICTS``; ``src``, ``sport``, ``dst`` and ``dport`` are the
    addresses as the packet left the node, after NAT; ``rules_walked`` is uint32, the rules that the kernel would
    have looked at for this packet.
    """

    __slots__ = ("_cluster", "dport", "dst", "flows", "rules_walked", "sport", "src", "verdict")

    def __init__(self, cluster: Cluster, flows: Flows, columns: tuple[NDArray[Any], ...]) -> None:
        self._cluster = cluster
        self.flows = flows
        self.verdict: NDArray[np.uint8] = columns[0]
        self.src: NDArray[np.uint32] = columns[1]
        self.sport: NDArray[np.uint16] = columns[2]
        self.dst: NDArray[np.uint32] = columns[3]
        self.dport: NDArray[np.uint16] = columns[4]
        self.rules_walked: NDArray[np.uint32] = columns[5]

    def __len__(self) -> int:
        return len(self.verdict)

    def __repr__(self) -> str:
        counts = ", ".join(f"{count:,} {verdict}" for verdict, count in self.count_by("verdict").items())
        return f"<kdp.FlowResult: {counts or 'no rows'}>"

    def columns(self) -> dict[str, NDArray[Any]]:
        """Give the columns by name; no copy."""
        names = ("verdict", "src", "sport", "dst", "dport", "rules_walked")
        return {name: getattr(self, name) for name in names}

    @property
    def sent_on(self) -> NDArray[np.bool_]:
        """Which rows reached a destination: forwarded, or delivered to the node."""
        return self.verdict <= VERDICTS.index("delivered")

    def count_by(self, what: str) -> dict[str, int]:
        """Count rows by ``verdict``, or those that went on by ``endpoint``: most first, then by name.

        An endpoint is ``NAMESPACE/NAME`` of the Pod that has the address, or the address.
        """
        if what == "verdict":
            found = np.bincount(self.verdict, minlength=len(VERDICTS)).tolist()
            return {name: count for name, count in zip(VERDICTS, found, strict=False) if count}
        if what != "endpoint":
            raise bad_argument("FlowResult.count_by(what=...)", f"{what!r} is not one of verdict, endpoint")
        addresses, counts = np.unique(self.dst[self.sent_on], return_counts=True)
        names = self._cluster.endpoint_names
        texts = [str(ipaddress.IPv4Address(address)) for address in addresses.tolist()]
        pairs = zip((names.get(text, text) for text in texts), counts.tolist(), strict=True)
        return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))

    def replies(self) -> Flows:
        """Give the flows as their endpoints answer them: source and destination changed round, after NAT.

        Rows that reached nobody have no answer, and are left out.
        """
        rows = self.sent_on
        if rows.all():
            return Flows(
                src=self.dst, sport=self.dport, dst=self.src, dport=self.sport, proto=self.flows.proto
            )
        return Flows(
            src=self.dst[rows],
            sport=self.dport[rows],
            dst=self.src[rows],
            dport=self.sport[rows],
            proto=self.flows.proto[rows],
        )


def _place(name: str) -> str:
    return f"kdp.Flows({name}=...)"


def _addresses(name: str, given: Column) -> NDArray[np.uint32]:
    if isinstance(given, ipaddress.IPv4Address | ipaddress.IPv6Address):
        given = str(given)
    if isinstance(given, str):
        return np.array([_address(name, given)], dtype=np.uint32)[0:1].reshape(())
    values = np.asarray(given)
    if values.dtype.kind in "UO":
        # Few addresses, many rows: each text is read once.
        texts, rows = np.unique(values.astype(str), return_inverse=True)
        numbers = np.array([_address(name, text) for text in texts.tolist()], dtype=np.uint32)
        return numbers[rows]
    return _whole_numbers(name, values, np.uint32)


def _address(name: str, text: str) -> int:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise bad_argument(_place(name), f"{text!r} is no IP address") from None
    if address.version == 6:
        raise UnsupportedError(
            "flows-ipv6-not-modelled",
            f"{_place(name)}: {text} is IPv6, and batches are IPv4 only today; Pod.connect takes both",
        )
    return int(address)


def _protocols(given: Column) -> NDArray[np.uint8]:
    numbers = _protocol_numbers(given)
    others = np.setdiff1d(numbers, list(PROTOCOLS.values()))
    if others.size:
        raise UnsupportedError(
            "packet-not-modelled",
            f"{_place('proto')}: flows of protocol {others[0]} are not modelled; tcp and udp are",
        )
    return numbers


def _protocol_numbers(given: Column) -> NDArray[np.uint8]:
    if not isinstance(given, str):
        values = np.asarray(given)
        if values.dtype.kind not in "UO":
            return _whole_numbers("proto", values, np.uint8)
        names, rows = np.unique(values.astype(str), return_inverse=True)
        return np.array([_protocol(name) for name in names.tolist()], dtype=np.uint8)[rows]
    return np.array(_protocol(given), dtype=np.uint8)


def _protocol(name: str) -> int:
    number = PROTOCOLS.get(name.lower())
    if number is None:
        raise bad_argument(_place("proto"), f"{name!r} is not one of {', '.join(PROTOCOLS)}, nor a number")
    return number


def _whole_numbers(name: str, given: Column, dtype: type[np.unsignedinteger[Any]]) -> NDArray[Any]:
    values = np.asarray(given)
    if values.dtype == dtype:
        return values
    if values.dtype.kind not in "iu":
        wanted = f"whole numbers ({np.dtype(dtype).name})"
        raise UsageError("flows-dtype", f"{_place(name)}: {wanted} are wanted, not {values.dtype.name}")
    limits = np.iinfo(dtype)
    if values.size and (int(values.min()) < 0 or int(values.max()) > limits.max):
        odd = values[(values < 0) | (values > limits.max)].flat[0]
        raise UsageError("flows-range", f"{_place(name)}: {odd} is outside 0..={limits.max}")
    return values.astype(dtype)


def _common_length(columns: Mapping[str, NDArray[Any]]) -> int:
    for name, column in columns.items():
        if column.ndim > 1:
            raise UsageError("flows-shape", f"{_place(name)}: shape {column.shape} is not (n,)")
    lengths = {name: len(column) for name, column in columns.items() if column.ndim == 1}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise UsageError("flows-shape", f"kdp.Flows: columns differ in length: {listed}")
    return next(iter(lengths.values()), 1)


def _repeat(column: NDArray[Any], rows: int) -> NDArray[Any]:
    if column.ndim == 0:
        return np.full(rows, column, dtype=column.dtype)
    return np.ascontiguousarray(column)
