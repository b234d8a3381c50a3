"""Endpoints that rules choose at random, taken out of a run: two runs with different choices can be compared."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from kdp.conformance.wire import ip_header_length
from kdp.dissect import dissect

__all__ = ["EndpointSets"]

Json = Mapping[str, Any]
End = tuple[str, int]

_CHECKSUM_AT = {6: 16, 17: 6}


class EndpointSets:
    """Sets of endpoints by name: ``[[address, port, device], …]``. One object for one run.

    In a run's packets and entries each endpoint becomes 0.0.0.0 (``::``) port 0 with a label: the name of its set,
    and of the flow whose choice it was; an endpoint that is not the flow's first choice has another label.
    """

    def __init__(self, sets: Mapping[str, Sequence[Sequence[Any]]]) -> None:
        self._set_of: dict[End, str] = {
            (str(address), int(port)): name for name, ends in sets.items() for address, port, *_ in ends
        }
        self._chosen: dict[str, End] = {}
        self._flow_of: dict[Hashable, str] = {}

    def chosen(self, flow: str) -> End | None:
        """The endpoint that a flow got."""
        return self._chosen.get(flow)

    def canonical(self, run: Json, steps: Sequence[Json]) -> dict[str, Any]:
        """The run with its endpoints taken out."""
        if not self._set_of:
            return dict(run)
        told = [self._step(seen, step.get("flow")) for seen, step in zip(run["steps"], steps, strict=True)]
        return {**run, "steps": told, "conntrack": [self._entry(each) for each in run["conntrack"]]}

    def _step(self, seen: Json, flow: str | None) -> dict[str, Any]:
        step = dict(seen)
        if flow and seen.get("hex"):
            self._flow_of[_key(dissect(bytes.fromhex(seen["hex"])))] = flow
        labels: list[str] = []
        if "outs_hex" in seen:
            step["outs_hex"] = [
                [device, self._packet(packet, flow, labels)] for device, packet in seen["outs_hex"]
            ]
            step["local_hex"] = [self._packet(packet, flow, labels) for packet in seen["local_hex"]]
            step["endpoints"] = labels
        if "conntrack" in seen:
            step["conntrack"] = [self._entry(each) for each in seen["conntrack"]]
        return step

    def _label(self, end: End, flow: str | None) -> str | None:
        name = self._set_of.get(end)
        if name is None:
            return None
        if flow is None:
            return f"{name}(?)"
        first = self._chosen.setdefault(flow, end)
        return f"{name}({flow}){'' if first == end else '!'}"

    def _packet(self, packet: str, flow: str | None, labels: list[str]) -> str:
        """The packet without its endpoints, checksums kept as right or wrong as they were."""
        data = bytearray.fromhex(packet)
        fields = dissect(bytes(data))
        inner = fields.get("inner") or {}
        for of in (fields, inner):
            for side, port in (("src", "sport"), ("dst", "dport")):
                if port not in of:
                    continue
                label = self._label((of[side], of[port]), flow)
                if label:
                    labels.append(f"{side} {label}")
                    _blank(data, of[side], of[port])
        bound = self._chosen.get(flow or "")
        for side in ("src", "dst"):
            if "sport" not in fields and bound and fields.get(side) == bound[0]:
                labels.append(f"{side} {self._label(bound, flow)}")
                _blank(data, bound[0], None)
        return data.hex()

    def _entry(self, entry: Json) -> dict[str, Any]:
        flow = self._flow_of.get(_key(entry["orig"]))
        found = dict(entry)
        for side in ("orig", "reply"):
            ends = dict(entry[side])
            for address, port in (("src", "sport"), ("dst", "dport")):
                label = self._label((ends[address], ends[port]), flow) if port in ends else None
                if label:
                    blank = "::" if ":" in ends[address] else "0.0.0.0"  # noqa: S104 -- an address in place of another
                    ends |= {address: blank, port: 0, f"{address}_endpoint": label}
            found[side] = ends
        return found


def _key(of: Json) -> Hashable:
    proto = {"icmp6": "icmpv6"}.get(str(of.get("proto")), of.get("proto"))
    number = of.get("icmp_id", of.get("id"))
    return (of.get("src"), of.get("sport", number), of.get("dst"), of.get("dport"), proto)


def _blank(data: bytearray, address: str, port: int | None) -> None:
    """Write zeros over an endpoint's address and port in every header, and take them out of the checksums."""
    packed = ip_address(address).packed
    head = ip_header_length(bytes(data))
    protocol = data[6] if data[0] >> 4 == 6 else data[9]
    at = data.find(packed)
    while at >= 0:
        if at % 2 == 0:  # an address of a header; bytes of a payload that look like one are left
            for word in range(0, len(packed), 2):
                _zero(data, at + word, head, protocol)
        at = data.find(packed, at + len(packed))
    if port is None:
        return
    wanted = port.to_bytes(2, "big")
    for place in (head, head + 2, *_inner_ports(data, head, protocol)):
        if bytes(data[place : place + 2]) == wanted:
            _zero(data, place, head, protocol)


def _inner_ports(data: bytearray, head: int, protocol: int) -> tuple[int, ...]:
    if protocol not in (1, 58) or len(data) < head + 28:
        return ()
    inner = head + 8
    at = inner + (40 if data[inner] >> 4 == 6 else (data[inner] & 15) * 4)
    return (at, at + 2)


def _zero(data: bytearray, at: int, head: int, protocol: int) -> None:
    """Set a 16-bit word to 0, and the checksums that cover it to what they would be. Source: RFC 1624."""
    old = int.from_bytes(data[at : at + 2], "big")
    data[at : at + 2] = b"\0\0"
    places = []
    if data[0] >> 4 == 4 and at < head:
        places.append(10)
    if protocol in _CHECKSUM_AT:
        places.append(head + _CHECKSUM_AT[protocol])
    elif protocol in (1, 58) and (protocol == 58 or at >= head):
        places.append(head + 2)
    for place in places:
        if place + 2 <= len(data) and (protocol != 17 or place == 10 or data[place : place + 2] != b"\0\0"):
            total = (~int.from_bytes(data[place : place + 2], "big") & 0xFFFF) + (~old & 0xFFFF)
            total = (total & 0xFFFF) + (total >> 16)
            data[place : place + 2] = (~total & 0xFFFF).to_bytes(2, "big")
