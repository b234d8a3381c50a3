"""The DNS server's sockets: messages in wire format, over UDP and TCP, answered by the core.

Source: RFC 1035 sections 4.1 and 4.2.2; RFC 6891 for the OPT record.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from kdp.errors import KdpError

if TYPE_CHECKING:
    from kdp import _core

__all__ = ["answer", "listen"]

TCP_IDLE_SECONDS = 10.0
"""How long a TCP client may be silent. Source: CoreDNS, ``tcpIdleTimeout``."""


def answer(api: _core.Api, wire: bytes, *, udp: bool) -> bytes | None:
    """Answer a message; ``None`` for bytes to which nothing can be answered."""
    try:
        query = dns.message.from_wire(wire)
    except dns.exception.DNSException:
        return _malformed(wire)
    if query.flags & dns.flags.QR:
        return None
    response = dns.message.make_response(query, recursion_available=False)
    if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
        response.set_rcode(dns.rcode.NOTIMP if query.opcode() != dns.opcode.QUERY else dns.rcode.FORMERR)
        return response.to_wire()
    _fill(response, json.loads(api.dns(json.dumps(_question(query, udp=udp)))))
    return response.to_wire(max_size=65535)


def _question(query: dns.message.Message, *, udp: bool) -> dict[str, Any]:
    asked = query.question[0]
    question: dict[str, Any] = {
        "name": asked.name.to_text(),
        "type": dns.rdatatype.to_text(asked.rdtype),
        "class": dns.rdataclass.to_text(asked.rdclass),
        "transport": "udp" if udp else "tcp",
    }
    if query.edns >= 0:
        wants_dnssec = bool(query.ednsflags & dns.flags.DO)
        question["edns"] = {"size": query.payload, "do": wants_dnssec, "version": query.edns}
    return question


def _fill(response: dns.message.Message, told: dict[str, Any]) -> None:
    for flag, there in ((dns.flags.AA, told["aa"]), (dns.flags.TC, told["tc"]), (dns.flags.RA, told["ra"])):
        response.flags = response.flags | flag if there else response.flags & ~flag
    for section, key in (
        (response.answer, "answers"),
        (response.authority, "authority"),
        (response.additional, "additional"),
    ):
        section.extend(_record(text) for text in told[key])
    if "edns" in told:
        response.use_edns(0, dns.flags.DO if told["edns"]["do"] else 0, told["edns"]["size"])
    response.set_rcode(dns.rcode.from_text(told["rcode"]))


def _record(text: str) -> dns.rrset.RRset:
    name, ttl, rdclass, rdtype, data = text.split(None, 4)
    return dns.rrset.from_text(name, int(ttl), rdclass, rdtype, data)


def _malformed(wire: bytes) -> bytes | None:
    """Answer FORMERR to what at least has a header and is a query."""
    if len(wire) < 12 or wire[2] & 0x80:
        return None
    return wire[:2] + bytes([0x80 | wire[2] & 0x79, dns.rcode.FORMERR]) + bytes(8)


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, api: _core.Api) -> None:
        self._api = api
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = answer(self._api, data, udp=True)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)


async def _stream(api: _core.Api, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the messages of one TCP connection, each behind its length."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
        while True:
            async with asyncio.timeout(TCP_IDLE_SECONDS):
                length = int.from_bytes(await reader.readexactly(2), "big")
                wire = await reader.readexactly(length)
            reply = answer(api, wire, udp=False)
            if reply is None:
                break
            writer.write(len(reply).to_bytes(2, "big") + reply)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def listen(api: _core.Api, address: str, port: int) -> AsyncIterator[int]:
    """Serve DNS on a port, or on a free one for 0; gives the port."""
    loop = asyncio.get_running_loop()
    try:
        server = await asyncio.start_server(lambda r, w: _stream(api, r, w), address, port)
        port = server.sockets[0].getsockname()[1]
        transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(api), local_addr=(address, port))
    except OSError as error:
        message = f"{address}:{port} cannot be listened on for DNS: {error.strerror or error}"
        raise KdpError("serve-address-taken", message) from None
    try:
        yield port
    finally:
        transport.close()
        server.close()
