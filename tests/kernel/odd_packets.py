"""Packets that are rarely seen: SCTP, GRE and numbers without a name, fragments, headers with options, broken ones."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.kernel.place import Place

Spec = dict[str, Any]
Target = tuple[str, str, int]


class SctpLife:
    """An association from INIT to its end, with accidents: chunks out of turn, wrong tags."""

    _LIFE = (
        (True, "init"),
        (False, "init_ack"),
        (True, "cookie_echo"),
        (False, "cookie_ack"),
        (True, "data"),
        (False, "sack"),
        (True, "heartbeat"),
        (False, "heartbeat_ack"),
        (True, "shutdown"),
        (False, "shutdown_ack"),
        (True, "shutdown_complete"),
    )
    _CHUNKS = (*(name for _, name in _LIFE), "abort", "error")

    def __init__(self, tag: int) -> None:
        self.tags = {True: tag, False: tag ^ 0xFFFF}
        self.stage = 0

    def next(self, rng: random.Random) -> tuple[bool, Spec]:
        """Whether the client sends the next packet, and the packet."""
        if rng.random() < 0.8:
            is_client, chunk = self._LIFE[self.stage]
            self.stage = (self.stage + 1) % len(self._LIFE)
        else:
            is_client, chunk = rng.random() < 0.5, rng.choice(self._CHUNKS)
        tag = 0 if chunk == "init" else self.tags[not is_client]
        if rng.random() < 0.05:
            tag ^= 1
        body: Any = ""
        if chunk in ("init", "init_ack"):
            body = {"tag": self.tags[is_client]}
        elif chunk in ("data", "sack"):
            body = "00" * 12
        return is_client, {"chunks": [[chunk, 0, body]], "vtag": tag} | (
            {"badsum": True} if rng.random() < 0.03 else {}
        )


def odd_packet(
    rng: random.Random, place: Place, sender: tuple[str | None, str], target: Target
) -> list[Spec]:
    """One odd packet, or the fragments of one."""
    device, src = sender
    makers: list[Callable[[random.Random, str, Target], list[Spec]]] = [
        _other_protocol,
        _fragments,
        _short_life,
        _broken,
        _marked,
        _lone,
        _many_listen if place.family == 4 else _extended,
        _with_options if place.family == 4 else _extended,
    ]
    if device is None:  # no process sends from whatever address
        makers = [maker for maker in makers if maker not in (_many_listen, _extended)]
        if place.family == 6:  # whose fragments come back by lo one by one, which kdp refuses to model
            makers.remove(_fragments)
    return rng.choice(makers)(rng, src, target)


def _other_protocol(rng: random.Random, src: str, target: Target) -> list[Spec]:
    """GRE, ESP, AH, IP in IP, PIM, UDP-Lite, and numbers that nobody has."""
    proto = rng.choice([47, 47, 50, 51, 4, 103, 136, 253, 0, 255])
    payload = rng.choice(["00000800", "3081880b000400020000000a", "abcdef0123456789" * 2])
    return [{"k": "ip", "src": src, "dst": target[1], "proto": proto, "payload_hex": payload}]


def _datagram(src: str, target: Target, length: int) -> Spec:
    _, dst, port = target
    return {"k": "udp", "src": src, "dst": dst, "sport": 2000, "dport": port, "data": "5a" * length}


def _fragments(rng: random.Random, src: str, target: Target) -> list[Spec]:
    """A datagram in pieces: in any order, one twice, one missing, or two that overlap."""
    ident = rng.getrandbits(16) or 1
    whole = _datagram(src, target, 60)
    edges = rng.choice([[0, 32, 68], [0, 24, 48, 68], [0, 8, 68]])
    pieces = list(itertools.pairwise(edges))
    if rng.random() < 0.5:
        rng.shuffle(pieces)
    dice = rng.random()
    if dice < 0.15:
        pieces.append(pieces[0])
    elif dice < 0.3:
        pieces.pop()
    elif dice < 0.4:
        first, last = pieces[-1]
        pieces[-1] = (max(0, first - 8), last)
    return [{"k": "frag", "of": whole, "a": first, "b": last, "ident": ident} for first, last in pieces]


def _short_life(rng: random.Random, src: str, target: Target) -> list[Spec]:
    """A time to live that ends here or one hop further."""
    return [{**_datagram(src, target, 4), "ttl": rng.choice([0, 1, 1, 2])}]


def _broken(rng: random.Random, src: str, target: Target) -> list[Spec]:
    """A wrong checksum, a transport header that is cut, a length that lies, no checksum at all."""
    proto, dst, port = target
    dice = rng.random() * 0.7  # headers that are cut off: see DEVIATION ipt-short-header
    if dice < 0.3:
        return [{**_datagram(src, target, 8), "badsum": True}]
    if dice < 0.5:
        return [{**_datagram(src, target, 8), "ulen": rng.choice([4, 9, 400])}]
    if dice < 0.7:
        return [{**_datagram(src, target, 8), "nosum": True}]
    header = "07d0" + f"{port:04x}" + "00" * 16
    number = 6 if proto == "tcp" else 17
    cut = 2 * rng.choice([0, 3, 4, 7, 8, 12, 19])
    return [{"k": "ip", "src": src, "dst": dst, "proto": number, "payload_hex": header[:cut]}]


def _marked(rng: random.Random, src: str, target: Target) -> list[Spec]:
    """A type of service, a larger packet, one that must not be cut."""
    spec = _datagram(src, target, rng.choice([0, 500, 1400]))
    spec |= {"tos": rng.choice([0x10, 0x20, 0xB8])}
    if ":" not in src and rng.random() < 0.5:
        spec |= {"df": True, "ident": rng.getrandbits(16)}
    return [spec]


def _lone(rng: random.Random, src: str, target: Target) -> list[Spec]:
    """A segment of a connection that nobody has seen."""
    _, dst, port = target
    flags = rng.choice(["A", "FA", "RA", "R", "SA", "SF", "", "PA", "FPU"])
    ports = {"sport": rng.choice([2000, 2001, 40000]), "dport": port}
    numbers = {"seq": rng.getrandbits(32), "ack": rng.getrandbits(32)}
    return [{"k": "tcp", "src": src, "dst": dst, **ports, "flags": flags, **numbers}]


def _many_listen(rng: random.Random, src: str, target: Target) -> list[Spec]:
    """To many: broadcast and multicast; from and to addresses that no packet should have."""
    strange = ["255.255.255.255", "224.0.0.1", "239.1.2.3", "127.0.0.1", "0.0.0.0", "0.1.2.3", "240.0.0.1"]  # noqa: S104 - a packet's address, nobody listens
    spec = _datagram(src, target, 4)
    if rng.random() < 0.6:
        return [{**spec, "dst": rng.choice(strange)}]
    return [{**spec, "src": rng.choice([*strange, "192.168.100.1", "10.0.0.1"])}]


def _with_options(rng: random.Random, src: str, target: Target) -> list[Spec]:
    """An IPv4 header with options, some of them wrong."""
    options = rng.choice(["01010101", "94040000", "8307040000000000", "07000000", "94020000", "82040000"])
    return [{**_datagram(src, target, 4), "opts": options}]


def _extended(rng: random.Random, src: str, target: Target) -> list[Spec]:
    """IPv6 extension headers; addresses of scopes that are not routed."""
    if rng.random() < 0.3:
        strange = ["ff02::1", "ff05::1", "::1", "fe80::5", "::", "ff0e::9"]
        spec = _datagram(src, target, 4)
        side = rng.choice(["dst", "src"])
        return [{**spec, side: rng.choice(strange)}]
    pad = "010400000000"
    kinds = [["hop", pad], ["dst", pad], ["rt", "0000" + "00000000"]]
    chosen = rng.sample(kinds, rng.randint(1, 2))
    chosen.sort(key=lambda one: ["hop", "dst", "rt"].index(one[0]))
    return [{**_datagram(src, target, 4), "ext": chosen}]
