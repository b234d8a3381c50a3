"""Batches of packets with complete headers as numpy columns, and what became of them."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from kdp.arguments import bad_argument
from kdp.errors import UnsupportedError, UsageError
from kdp.flows import VERDICTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["STATES", "Packets", "PacketsResult"]

STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED")
"""Names of the states in connection tracking, by number; 255 is a packet that it did not look at."""

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17}
FLAGS = "FSRPAUEC"
HEADERS = {1: 28, 6: 40, 17: 28}
"""The shortest packet of a protocol: an IPv4 header and the transport's own."""

Column: TypeAlias = Any
"""A scalar, a text, a list or an array; ``Packets`` says what each column takes."""

DTYPES: Mapping[str, type[np.unsignedinteger[Any]]] = {
    "time_ns": np.uint64,
    "src": np.uint32,
    "sport": np.uint16,
    "dst": np.uint32,
    "dport": np.uint16,
    "proto": np.uint8,
    "flags": np.uint8,
    "seq": np.uint32,
    "ack": np.uint32,
    "window": np.uint16,
    "length": np.uint16,
    "ttl": np.uint8,
    "mark": np.uint32,
}


class Packets:
    """Packets as columns: ``kdp.Packets(src="10.0.0.9", sport=ports, dst="10.96.0.10", dport=80, flags="S")``.

    Each column is ``(n,)``; a scalar is repeated to the length of the others. Unlike a row of ``Flows`` a row says
    all of its packet: ``flags`` (a number, or letters of ``FSRPAUEC``, a dot for ACK), ``seq``, ``ack``, ``window``
    of TCP; of ICMP ``sport`` is the id and ``dport`` type * 256 + code. ``length``: bytes of the whole packet
    (default: no payload). ``time_ns``: nanoseconds after the first row, never smaller than the row before.
    ``device``: the name of the device that it comes in by, ``"local"`` where the box itself sends, ``None`` for the
    way back to the source. ``mark``: the mark it has when it enters. Checksums are right, there are no options.
    IPv4 only: ``flows-ipv6-not-modelled``.
    """

    __slots__ = ("device", *DTYPES)

    def __init__(
        self,
        *,
        src: Column,
        dst: Column,
        sport: Column = 0,
        dport: Column = 0,
        proto: Column = "tcp",
        flags: Column = "S",
        seq: Column = 0,
        ack: Column = 0,
        window: Column = 64240,
        length: Column = None,
        ttl: Column = 64,
        time_ns: Column = 0,
        mark: Column = 0,
        device: str | Sequence[str] | None = None,
    ) -> None:
        given = {
            "time_ns": time_ns,
            "src": _texts("src", src, _address),
            "sport": sport,
            "dst": _texts("dst", dst, _address),
            "dport": dport,
            "proto": _texts("proto", proto, _protocol),
            "flags": _texts("flags", flags, _flags),
            "seq": seq,
            "ack": ack,
            "window": window,
            "length": 0 if length is None else length,
            "ttl": ttl,
            "mark": mark,
        }
        columns = {name: _whole_numbers(name, column, DTYPES[name]) for name, column in given.items()}
        rows = _common_length(columns)
        for name, column in columns.items():
            setattr(self, name, np.ascontiguousarray(np.broadcast_to(column, (rows,))))
        self.device = device
        if length is None:
            self.length = _shortest(self.proto)

    if TYPE_CHECKING:
        time_ns: NDArray[np.uint64]
        src: NDArray[np.uint32]
        sport: NDArray[np.uint16]
        dst: NDArray[np.uint32]
        dport: NDArray[np.uint16]
        proto: NDArray[np.uint8]
        flags: NDArray[np.uint8]
        seq: NDArray[np.uint32]
        ack: NDArray[np.uint32]
        window: NDArray[np.uint16]
        length: NDArray[np.uint16]
        ttl: NDArray[np.uint8]
        mark: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.src)

    def __repr__(self) -> str:
        return f"<kdp.Packets: {len(self):,} rows>"

    def columns(self) -> dict[str, NDArray[Any]]:
        """Give the columns by name; no copy."""
        return {name: getattr(self, name) for name in DTYPES}

    def core_columns(
        self, devices: Sequence[str], way_in: Mapping[int, str | None], now: int
    ) -> dict[str, Any]:
        """The columns as the core takes them: times of the box's clock, devices by their numbers.

        ``way_in``: by source address the device back to it, where rows name no device.
        """
        numbers = {name: number for number, name in enumerate(devices, 1)} | {"local": 0, "": 0}
        columns = self.columns()
        columns["time_ns"] = self.time_ns + np.uint64(now)
        columns["device"] = _device_numbers(self, numbers, way_in)
        return columns


class PacketsResult:
    """What became of a batch of packets: a row for each, in order.

    ``verdict`` is uint8, a position in ``kdp.flows.VERDICTS``; ``src``, ``sport``, ``dst`` and ``dport`` are the
    addresses as the packet left, after NAT; ``state`` is uint8, a position in ``kdp.packets.STATES`` or 255;
    ``device`` is uint32, the number of the device that it left by (a name: ``devices[number - 1]``), 0 if it did
    not; ``rules_walked`` is uint32.
    """

    __slots__ = (
        "device",
        "devices",
        "dport",
        "dst",
        "packets",
        "rules_walked",
        "sport",
        "src",
        "state",
        "verdict",
    )

    def __init__(self, packets: Packets, devices: Sequence[str], columns: tuple[NDArray[Any], ...]) -> None:
        self.packets = packets
        self.devices = tuple(devices)
        self.verdict: NDArray[np.uint8] = columns[0]
        self.device: NDArray[np.uint32] = columns[1]
        self.src: NDArray[np.uint32] = columns[2]
        self.sport: NDArray[np.uint16] = columns[3]
        self.dst: NDArray[np.uint32] = columns[4]
        self.dport: NDArray[np.uint16] = columns[5]
        self.state: NDArray[np.uint8] = columns[6]
        self.rules_walked: NDArray[np.uint32] = columns[7]

    def __len__(self) -> int:
        return len(self.verdict)

    def __repr__(self) -> str:
        counts = ", ".join(f"{count:,} {verdict}" for verdict, count in self.count_by("verdict").items())
        return f"<kdp.PacketsResult: {counts or 'no rows'}>"

    def columns(self) -> dict[str, NDArray[Any]]:
        """Give the columns by name; no copy."""
        names = ("verdict", "device", "src", "sport", "dst", "dport", "state", "rules_walked")
        return {name: getattr(self, name) for name in names}

    def count_by(self, what: str) -> dict[str, int]:
        """Count rows by ``verdict`` or by ``state``."""
        names = {"verdict": VERDICTS, "state": STATES}.get(what)
        if names is None:
            raise bad_argument("PacketsResult.count_by(what=...)", f"{what!r} is not one of verdict, state")
        column: NDArray[np.uint8] = getattr(self, what)
        found = np.bincount(column, minlength=len(names)).tolist()
        return {name: count for name, count in zip(names, found, strict=False) if count}


def _device_numbers(
    packets: Packets, numbers: Mapping[str, int], way_in: Mapping[int, str | None]
) -> NDArray[np.uint32]:
    rows = len(packets)
    if packets.device is None:
        sources, at = np.unique(packets.src, return_inverse=True)
        names = [way_in[source] for source in sources.tolist()]
        for source, name in zip(sources.tolist(), names, strict=True):
            if name is None:
                address = ipaddress.IPv4Address(source)
                raise bad_argument(
                    _place("device"), f"no route leads back to {address}: say by which it comes in"
                )
        return np.array([numbers[name or ""] for name in names], dtype=np.uint32)[at]
    given = np.atleast_1d(np.asarray(packets.device))
    if len(given) not in (1, rows):
        raise UsageError("flows-shape", f"{_place('device')}: {len(given)} names for {rows} rows")
    texts, at = np.unique(given.astype(str), return_inverse=True)
    for text in texts.tolist():
        if text not in numbers or not text:
            raise bad_argument(_place("device"), f"{text!r} is not one of {', '.join(filter(None, numbers))}")
    found = np.array([numbers[text] for text in texts.tolist()], dtype=np.uint32)[at]
    return np.ascontiguousarray(np.broadcast_to(found, (rows,)))


def _shortest(proto: NDArray[np.uint8]) -> NDArray[np.uint16]:
    table = np.full(256, 20, dtype=np.uint16)
    for number, length in HEADERS.items():
        table[number] = length
    return table[proto]


def _place(name: str) -> str:
    return f"kdp.Packets({name}=...)"


def _texts(name: str, given: Column, read: Any) -> Column:  # noqa: ANN401 -- a function from name and text to a number
    """Numbers for texts; whatever is no text stays."""
    values = np.asarray(
        str(given) if isinstance(given, ipaddress.IPv4Address | ipaddress.IPv6Address) else given
    )
    if values.dtype.kind not in "UO":
        return values
    texts, rows = np.unique(values.astype(str), return_inverse=True)
    numbers = np.array([read(name, text) for text in texts.tolist()], dtype=np.uint32)
    return numbers[rows].reshape(values.shape)


def _address(name: str, text: str) -> int:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise bad_argument(_place(name), f"{text!r} is no IP address") from None
    if address.version == 6:
        raise UnsupportedError(
            "flows-ipv6-not-modelled",
            f"{_place(name)}: {text} is IPv6, batches are IPv4 only; Host.packet takes both",
        )
    return int(address)


def _protocol(name: str, text: str) -> int:
    if text.lower() not in PROTOCOLS:
        raise bad_argument(_place(name), f"{text!r} is not one of {', '.join(PROTOCOLS)}, nor a number")
    return PROTOCOLS[text.lower()]


def _flags(name: str, text: str) -> int:
    letters = text.replace(".", "A")
    if not set(letters) <= set(FLAGS):
        raise bad_argument(_place(name), f"{text!r} has other letters than {FLAGS} and the dot")
    return sum(1 << FLAGS.index(letter) for letter in set(letters))


def _whole_numbers(name: str, given: Column, dtype: type[np.unsignedinteger[Any]]) -> NDArray[Any]:
    values = np.asarray(given)
    if values.dtype == dtype:
        return values
    if values.dtype.kind not in "iu":
        raise UsageError(
            "flows-dtype",
            f"{_place(name)}: whole numbers ({np.dtype(dtype).name}) are wanted, not {values.dtype.name}",
        )
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
        raise UsageError("flows-shape", f"kdp.Packets: columns differ in length: {listed}")
    return next(iter(lengths.values()), 1)
