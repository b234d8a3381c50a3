"""The API server's sockets: an ASGI application over ``kdp._core.Api``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from kdp.serve.tables import event_as_table, table_version, to_table
from kdp.serve.watches import Waiters

if TYPE_CHECKING:
    from kdp import _core
    from kdp.serve.clock import Clock

__all__ = ["ApiApp"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_BYTES_MAX = 3 * 1024 * 1024
"""Source: kube-apiserver, ``MaxRequestBodyBytes``."""

DRAINED_BYTES_MAX = 16 * BODY_BYTES_MAX
"""What is read of a body beyond its limit and thrown away, so that the client reads the answer before it is cut off."""

BOOKMARK_SECONDS = 60.0
"""Source: kube-apiserver, ``defaultBookmarkFrequency``."""

WATCH_SECONDS = 3600.0
"""How long a watch stays open for a client that says nothing. Source: kube-apiserver, ``minRequestTimeout``."""

TICK_SECONDS = 0.1
"""How often virtual time is moved on while nobody asks."""


class Asked(NamedTuple):
    """A request, apart from its body."""

    method: str
    path: str
    query: list[tuple[str, str]]
    accept: str
    content_type: str


class ApiApp:
    """The application. ``hosts`` are the names that a request's ``Host`` may have, without ports."""

    def __init__(self, api: _core.Api, cluster: _core.Cluster, clock: Clock, hosts: frozenset[str]) -> None:
        self._api = api
        self._cluster = cluster
        self._clock = clock
        self._hosts = hosts
        self._waiters = Waiters(api)
        self._ends = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1011, "reason": "not served"})

    async def keep_time(self) -> None:
        """Move virtual time on until the server ends."""
        while not self._ends:
            self.tick()
            await asyncio.sleep(TICK_SECONDS)

    def tick(self) -> None:
        """Move virtual time to now, and wake those whom it concerns."""
        self._cluster.advance(max(self._cluster.now(), self._clock.now()))
        self._api.reap()
        self._waiters.wake()

    def end(self) -> None:
        """End every watch."""
        self._ends = True
        self._waiters.wake_all()

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._stranger(headers)
        if refused:
            return await _answer(send, 403, _status(403, "Forbidden", refused))
        body = await _read(receive)
        if body is None:
            message = f"Request entity too large: limit is {BODY_BYTES_MAX}"
            return await _answer(send, 413, _status(413, "RequestEntityTooLarge", message))
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        asked = Asked(
            scope["method"],
            unquote(scope["path"]),
            query,
            headers.get("accept", ""),
            headers.get("content-type", ""),
        )
        return await self._serve(asked, body, receive, send)

    def _stranger(self, headers: dict[str, str]) -> str | None:
        """Say why a request is not from a client of ours: a page of another site can make a browser send one."""
        host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
        if host.strip("[]") not in self._hosts:
            return f"Host {host!r} is not one that this server answers to"
        origin = headers.get("origin")
        if origin and origin.partition("://")[2] != headers.get("host"):
            return f"Origin {origin!r} is another site"
        return None

    async def _serve(self, asked: Asked, body: bytes, receive: Receive, send: Send) -> None:
        self.tick()
        status, media, warnings, out = self._api.handle(
            asked.method, asked.path, asked.query, asked.accept, asked.content_type, body
        )
        if media == "watch":
            return await self._watch(asked, json.loads(out), receive, send)
        if asked.method not in ("GET", "HEAD"):
            self._waiters.wake()
        version = table_version(asked.accept)
        if version and status == 200 and asked.method == "GET" and media == "application/json":
            out = self._as_table(out, version, asked.query)
        headers = [(b"warning", f'299 - "{_escaped(text)}"'.encode()) for text in warnings]
        return await _answer(send, status, b"" if asked.method == "HEAD" else out, media, headers)

    def _as_table(self, out: bytes, version: str, query: list[tuple[str, str]]) -> bytes:
        value = json.loads(out)
        if not isinstance(value.get("metadata"), dict) or value.get("kind") in (
            "Status",
            "APIResourceList",
            "Scale",
        ):
            return out
        include = dict(query).get("includeObject", "Metadata")
        return json.dumps(
            to_table(value, version, include, self._clock.moment()), separators=(",", ":")
        ).encode()

    async def _watch(self, asked: Asked, opened: list[Any], receive: Receive, send: Send) -> None:
        watch, kind, namespace, timeout = opened
        place = (str(kind), namespace)
        event = self._waiters.add(place)
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await send(_head(200, "application/json", [(b"cache-control", b"no-cache, private")]))
            await self._stream(asked, watch, event, gone, send, float(timeout or WATCH_SECONDS))
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            self._waiters.remove(place, event)
            self._api.close(watch)

    async def _stream(
        self,
        asked: Asked,
        watch: int,
        event: asyncio.Event,
        gone: asyncio.Future[None],
        send: Send,
        seconds: float,
    ) -> None:
        loop = asyncio.get_running_loop()
        ends, version = loop.time() + seconds, table_version(asked.accept)
        include = dict(asked.query).get("includeObject", "Metadata")
        while not gone.done() and not self._ends:
            event.clear()
            lines = self._api.poll(watch)
            if version:
                moment = self._clock.moment()
                lines = [event_as_table(line, version, include, moment) for line in lines]
            if lines:
                # The client's pace is ours: what it has not read yet is not fetched from the history.
                data = "".join(f"{line}\n" for line in lines).encode()
                await send({"type": "http.response.body", "body": data, "more_body": True})
                continue
            left = ends - loop.time()
            if left <= 0:
                return
            if not await _wait(event, gone, min(left, BOOKMARK_SECONDS)):
                bookmark = self._api.bookmark(watch)
                if bookmark:
                    await send(
                        {"type": "http.response.body", "body": f"{bookmark}\n".encode(), "more_body": True}
                    )


async def _wait(event: asyncio.Event, gone: asyncio.Future[None], seconds: float) -> bool:
    """Wait until there is something to do; ``False`` if only time passed."""
    waiting = asyncio.ensure_future(event.wait())
    done, _ = await asyncio.wait((waiting, gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if waiting not in done:
        waiting.cancel()
    return bool(done)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read(receive: Receive) -> bytes | None:
    """Read a body; ``None`` if it is too large: nothing of it is kept."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        part = message.get("body", b"")
        size += len(part)
        if size > DRAINED_BYTES_MAX:
            return None
        if size <= BODY_BYTES_MAX:
            parts.append(part)
        else:
            parts.clear()
        if not message.get("more_body"):
            return b"".join(parts) if size <= BODY_BYTES_MAX else None


def _head(status: int, media: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-type", media.encode()), *headers],
    }


async def _answer(
    send: Send,
    status: int,
    body: bytes,
    media: str = "application/json",
    headers: list[tuple[bytes, bytes]] | None = None,
) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send(_head(status, media, [length, *(headers or [])]))
    await send({"type": "http.response.body", "body": body})


def _status(code: int, reason: str, message: str) -> bytes:
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    return json.dumps(status).encode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
