"""One packet as a line of text: ``tcp 10.0.0.9:40000 > 10.96.0.10:80 S seq 7 ttl 63``.

A line is ``[DEVICE:] PROTOCOL FROM > TO WORDS…``, ``[DEVICE:] reply N WORDS…`` (the answer to what packet N sent
out) or ``wait TIME``. What a line says becomes the packet of a case file (docs/case-files.md); docs/packets.md has
all words. A fault says its column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, NamedTuple

from kdp.arguments import nearest
from kdp.errors import UsageError

__all__ = ["LOCAL", "Line", "read_line"]

LOCAL = "local"
"""In place of a device: the box itself sends."""

PROTOCOLS = ("tcp", "udp", "icmp", "icmp6", "sctp", "gre", "ip")
ICMP_TYPES = {
    "icmp": {"echo-request": 8, "echo-reply": 0, "unreachable": 3, "time-exceeded": 11, "redirect": 5},
    "icmp6": {"echo-request": 128, "echo-reply": 129, "unreachable": 1, "too-big": 2, "time-exceeded": 3},
}
CHUNKS = (
    "data",
    "init",
    "init_ack",
    "sack",
    "heartbeat",
    "heartbeat_ack",
    "abort",
    "shutdown",
    "shutdown_ack",
    "error",
    "cookie_echo",
    "cookie_ack",
    "shutdown_complete",
)
UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


@dataclass(frozen=True)
class Line:
    """What a line says.

    ``wait_ns``: only time passes. Else ``spec`` is a packet of a case file, without ``reply_to`` its whole, with it
    what the answer to packet ``reply_to`` (from 1) has of its own; ``about``: the packet that an ICMP error quotes
    is what packet ``about`` sent out.
    """

    text: str
    device: str | None = None
    wait_ns: int | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)
    reply_to: int | None = None
    about: int | None = None
    mark: int = 0


class _Word(NamedTuple):
    text: str
    column: int


class _Words:
    """The words of a line, one after the other, each with its column."""

    def __init__(self, line: str, place: str, words: Sequence[_Word] | None = None) -> None:
        self.line = line
        self.place = place
        found = re.finditer(r">|[^\s>]+", line.partition("#")[0])
        self._words = [_Word(word[0], word.start() + 1) for word in found] if words is None else words
        self._at = 0

    def behind(self, word: _Word, prefix: str) -> _Words:
        """What stands behind a prefix of a word, as words of its own."""
        rest = word.text[len(prefix) :]
        return _Words(self.line, self.place, [_Word(rest, word.column + len(prefix))] if rest else [])

    def peek(self) -> _Word | None:
        return self._words[self._at] if self._at < len(self._words) else None

    def next(self, wanted: str) -> _Word:
        word = self.peek()
        if word is None:
            raise self.fault(_Word("", len(self.line) + 1), f"{wanted} is wanted here")
        self._at += 1
        return word

    def fault(self, word: _Word, why: str) -> UsageError:
        shown = f"    {self.line}\n    {' ' * (word.column - 1)}^"
        return UsageError("packet-syntax", f"{self.place}, column {word.column}: {why}\n{shown}")

    def number(self, name: str, most: int) -> int:
        word = self.next(f"a number for {name}")
        try:
            value = int(word.text, 0)
        except ValueError:
            raise self.fault(word, f"{word.text!r} is no number for {name}") from None
        if not 0 <= value <= most:
            raise self.fault(word, f"{name} {value} is outside 0..={most}")
        return value


def read_line(text: str, place: str = "packet") -> Line | None:
    """Read a line; None for one that is empty or only a comment.

    A fault (``packet-syntax``) names ``place`` and column.
    """
    words = _Words(text.rstrip("\n"), place)
    first = words.peek()
    if first is None:
        return None
    device = None
    if first.text.endswith(":") and len(first.text) > 1:
        device = words.next("a device").text[:-1]
    head = words.next("a protocol")
    shown = text.partition("#")[0].strip()
    if head.text == "wait":
        return Line(shown, wait_ns=_duration(words))
    if head.text == "reply":
        number = words.number("the packet that it answers", 10**6)
        return _finished(Line(shown, device, reply_to=number), words, None)
    if head.text not in PROTOCOLS:
        near = nearest(head.text, [*PROTOCOLS, "reply", "wait"])
        hint = f"did you mean {near[0]}?" if near else f"these are: {', '.join(PROTOCOLS)}, reply, wait"
        raise words.fault(head, f"{head.text!r} is no protocol; {hint}")
    return _finished(Line(shown, device, spec=_ends(words, head.text)), words, head.text)


def _duration(words: _Words) -> int:
    word = words.next("a time such as 5s")
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)", word.text)
    if not found:
        raise words.fault(word, f"{word.text!r} is no time such as 200ms, 5s or 2m")
    return round(float(found[1]) * UNITS[found[2]])


def _ends(words: _Words, protocol: str) -> dict[str, Any]:
    """From whom, to whom; the ports belong to protocols that have them."""
    src, src_port, src_word = _end(words, protocol)
    arrow = words.next("'>'")
    if arrow.text != ">":
        raise words.fault(arrow, f"'>' is wanted between the two ends, not {arrow.text!r}")
    dst, dst_port, dst_word = _end(words, protocol)
    if (":" in src) != (":" in dst):
        raise words.fault(dst_word, f"{dst} is not of the family of {src}")
    if protocol in ("icmp", "icmp6") and (":" in src) != (protocol == "icmp6"):
        raise words.fault(src_word, f"{protocol} has no address of this family")
    ends: dict[str, Any] = {"k": protocol, "src": src, "dst": dst}
    if protocol in ("tcp", "udp", "sctp"):
        ends |= {"sport": src_port, "dport": dst_port}
    return ends


def _end(words: _Words, protocol: str) -> tuple[str, int, _Word]:
    word = words.next("an address")
    has_port = protocol in ("tcp", "udp", "sctp")
    found = re.fullmatch(r"\[([^\]]*)\](?::(.*))?|([^:]*):([^:]*)|(.+)", word.text, re.DOTALL)
    assert found, "the last form takes any text"
    address = found[1] or found[3] or found[5] or ""
    port = found[2] or found[4]
    try:
        address = str(ip_address(address))
    except ValueError:
        raise words.fault(word, f"{address!r} is no IP address") from None
    if port is None:
        if has_port:
            form = f"[{address}]:PORT" if ":" in address else f"{address}:PORT"
            raise words.fault(word, f"{protocol} needs a port: {form}")
        return address, 0, word
    at = _Word(port, word.column + len(word.text) - len(port))
    if not has_port:
        raise words.fault(at, f"{protocol} has no ports")
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise words.fault(
            at, f"port {port} is outside 0..=65535" if port.isdecimal() else f"{port!r} is no port"
        )
    return address, int(port), word


class _Fields:
    """Fields that words have set so far."""

    def __init__(self, line: Line, protocol: str | None) -> None:
        self.line = line
        self.protocol = protocol
        self.spec: dict[str, Any] = dict(line.spec)
        self.options: dict[str, Any] = {}
        self.chunks: list[list[Any]] = []
        self.length: int | None = None
        self.key: int | None = None
        self.beside: dict[str, int] = {}  # mark, about


def _finished(line: Line, words: _Words, protocol: str | None) -> Line:
    fields = _Fields(line, protocol)
    while (word := words.peek()) is not None:
        words.next("a word")
        if not _is_flag_word(word.text, fields) and not _one(word, words, fields):
            near = nearest(word.text, _names(protocol))
            hint = f"; did you mean {near[0]}?" if near else f"; these are: {', '.join(_names(protocol))}"
            raise words.fault(word, f"{word.text!r} is no word of {protocol or 'a reply'}{hint}")
    spec = _closed(fields)
    return Line(
        line.text,
        line.device,
        spec=spec,
        reply_to=line.reply_to,
        about=fields.beside.get("about"),
        mark=fields.beside.get("mark", 0),
    )


def _is_flag_word(text: str, fields: _Fields) -> bool:
    """``S``, ``S.``, ``[P.]``, ``FA``: TCP's flags, a dot for ACK as tcpdump writes it; ``none`` for no flag."""
    if fields.protocol not in ("tcp", None):
        return False
    bare = text.removeprefix("[").removesuffix("]")
    if bare != "none" and not re.fullmatch(r"[FSRPAUEC.]+", bare):
        return False
    flags = "" if bare == "none" else bare.replace(".", "A")
    fields.spec["flags"] = "".join(dict.fromkeys(flags))
    return True


Setter = Callable[[_Words, _Fields], None]


def _number(name: str, most: int, *, to: str | None = None, option: bool = False) -> Setter:
    def set_it(words: _Words, fields: _Fields) -> None:
        (fields.options if option else fields.spec)[to or name] = words.number(name, most)

    return set_it


def _switch(name: str, *, option: bool = False) -> Setter:
    def set_it(words: _Words, fields: _Fields) -> None:
        del words
        (fields.options if option else fields.spec)[name] = True

    return set_it


def _length(words: _Words, fields: _Fields) -> None:
    fields.length = words.number("len", 65000)


def _data(words: _Words, fields: _Fields) -> None:
    word = words.next("bytes in hexadecimal")
    if not re.fullmatch(r"(?:[0-9a-fA-F]{2})*", word.text):
        raise words.fault(word, f"{word.text!r} is not pairs of hexadecimal digits")
    fields.spec["data"] = word.text.lower()


def _beside(name: str, most: int) -> Setter:
    def set_it(words: _Words, fields: _Fields) -> None:
        fields.beside[name] = words.number(name, most)

    return set_it


def _key(words: _Words, fields: _Fields) -> None:
    fields.key = words.number("key", 2**32 - 1)


WORD, BIG = 2**16 - 1, 2**32 - 1
EVERY: dict[str, Setter] = {
    "ttl": _number("ttl", 255),
    "tos": _number("tos", 255),
    "ident": _number("ident", WORD),
    "df": _switch("df"),
    "flow": _number("flow", 2**20 - 1),
    "len": _length,
    "data": _data,
    "mark": _beside("mark", BIG),
}
OF: dict[str, dict[str, Setter]] = {
    "tcp": {
        "seq": _number("seq", BIG),
        "ack": _number("ack", BIG),
        "win": _number("win", WORD),
        "urg": _number("urg", WORD),
        "mss": _number("mss", WORD, option=True),
        "wscale": _number("wscale", 14, option=True),
        "sackok": _switch("sackok", option=True),
        "badsum": _switch("badsum"),
    },
    "udp": {"nosum": _switch("nosum"), "badsum": _switch("badsum")},
    "icmp": {
        "type": _number("type", 255),
        "code": _number("code", 255),
        "id": _number("id", WORD),
        "seq": _number("seq", WORD),
        "mtu": _number("mtu", BIG),
        "about": _beside("about", 10**6),
        "badsum": _switch("badsum"),
    },
    "sctp": {"vtag": _number("vtag", BIG), "itag": _number("itag", BIG), "badsum": _switch("badsum")},
    "gre": {"key": _key},
    "ip": {"proto": _number("proto", 255)},
}
OF["icmp6"] = OF["icmp"]


def _setters(protocol: str | None) -> dict[str, Setter]:
    if protocol is None:  # a reply has the words of the protocol that it turns out to be
        every = {name: setter for words in OF.values() for name, setter in words.items()} | EVERY
        return {name: setter for name, setter in every.items() if name not in ("about", "proto", "key")}
    every = (
        EVERY if protocol != "sctp" else {name: EVERY[name] for name in EVERY if name not in ("len", "data")}
    )
    return OF[protocol] | every


def _names(protocol: str | None) -> list[str]:
    kinds = list(ICMP_TYPES.get(protocol or "", ())) + list(CHUNKS if protocol in ("sctp", None) else ())
    return [*_setters(protocol), *kinds]


def _one(word: _Word, words: _Words, fields: _Fields) -> bool:
    name, equals, _ = word.text.partition("=")
    setter = _setters(fields.protocol).get(name)
    if setter:
        _check_family(word, words, fields)
        setter(words.behind(word, f"{name}=") if equals else words, fields)
        return True
    kinds = ICMP_TYPES.get(fields.protocol or "", {})
    if name in kinds:
        fields.spec["type"] = kinds[name]
        return True
    if fields.protocol in ("sctp", None) and name in CHUNKS:
        fields.chunks.append([name, 0, ""])
        return True
    return False


def _check_family(word: _Word, words: _Words, fields: _Fields) -> None:
    """The header of IPv6 has no identification, that of IPv4 no flow label."""
    name = word.text.partition("=")[0]
    src = str(fields.spec.get("src", ""))
    if src and name in (("ident", "df") if ":" in src else ("flow",)):
        raise words.fault(word, f"{name} is no field of {'IPv6' if ':' in src else 'IPv4'}")


def _closed(fields: _Fields) -> dict[str, Any]:
    """The packet of a case file that the fields make."""
    spec, protocol = fields.spec, fields.protocol
    if fields.length is not None:
        spec["data"] = (spec.get("data", "") + "00" * fields.length)[: 2 * fields.length]
    if fields.options:
        spec["opts"] = fields.options
    if fields.chunks or protocol == "sctp":
        tag = spec.pop("itag", 1)
        spec["chunks"] = [
            [name, bits, {"tag": tag} if name in ("init", "init_ack") else body]
            for name, bits, body in fields.chunks or [["init", 0, ""]]
        ]
    if protocol in ("gre", "ip"):
        payload = spec.pop("data", "")
        if protocol == "gre":
            # Source: RFC 2784 and 2890: flags, protocol (IPv4), the key where there is one.
            key = "" if fields.key is None else f"{fields.key:08x}"
            payload = ("2000" if key else "0000") + "0800" + key + payload
            spec["proto"] = 47
        spec |= {"k": "ip", "proto": spec.get("proto", 253), "payload_hex": payload}
    if "about" in fields.beside:
        spec |= {"k": "icmp_error", "quote": fields.beside["about"]}
    elif "mtu" in spec:
        spec["rest"] = f"{spec.pop('mtu'):08x}"
    return spec
