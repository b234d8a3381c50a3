"""The servers' sockets without kubectl: DNS in wire format, and requests that no client of ours sends."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import dns.message
import dns.query
import dns.rcode
import pytest

if TYPE_CHECKING:
    from tests.serve.conftest import Served


def ask(served: Served, name: str, kind: str) -> dns.message.Message:
    return dns.query.udp(dns.message.make_query(name, kind), "127.0.0.1", port=served.dns_port, timeout=5)


def test_dns_answers_over_udp_and_tcp(served: Served) -> None:
    name = "mysql-service.blog-system.svc.cluster.local."
    assert ask(served, name, "A").answer[0][0].to_text() == "10.99.1.1"
    query = dns.message.make_query(name, "AAAA")
    answer = dns.query.tcp(query, "127.0.0.1", port=served.dns_port, timeout=5)
    assert (answer.rcode(), answer.answer) == (dns.rcode.NOERROR, [])
    assert ask(served, "nope.blog-system.svc.cluster.local.", "A").rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize(
    "garbage", [b"", b"\0", b"\xff" * 12, bytes(11), b"\x12\x34" + bytes(8) + b"\xff" * 40]
)
def test_garbage_harms_nobody(served: Served, garbage: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(garbage, ("127.0.0.1", served.dns_port))
    assert ask(served, "mysql-service.blog-system.svc.cluster.local.", "A").answer


def call(served: Served, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(f"{served.url}{path}", data=body, headers=headers)  # noqa: S310 -- loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 -- loopback
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_another_sites_page_is_turned_away(served: Served) -> None:
    assert call(served, "/version")[0] == 200
    assert call(served, "/version", Host="evil.example:80")[0] == 403
    body = b'{"metadata":{"name":"x"}}'
    assert call(served, "/api/v1/namespaces", body, Origin="http://evil.example")[0] == 403


def test_a_body_beyond_the_limit_is_refused(served: Served) -> None:
    code, body = call(served, "/api/v1/namespaces", b" " * (4 << 20))
    assert (code, json.loads(body)["reason"]) == (413, "RequestEntityTooLarge")


@pytest.mark.parametrize("path", ["/api/v1/namespaces/../secrets", "/%00", "/apis//", "/api/v1/pods?limit=x"])
def test_odd_paths_get_a_status(served: Served, path: str) -> None:
    code, body = call(served, path)
    assert 400 <= code < 500 or path == "/apis//", (code, body)


def test_a_watch_list_ends_what_there_is_with_a_bookmark(served: Served) -> None:
    query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    query += "&timeoutSeconds=1"
    code, body = call(served, f"/apis/discovery.k8s.io/v1/endpointslices?{query}")
    events = [json.loads(line) for line in body.splitlines()]
    kinds = [event["type"] for event in events]
    end = kinds.index("BOOKMARK")
    assert (code, set(kinds[:end])) == (200, {"ADDED"})
    bookmark = events[end]["object"]
    assert bookmark["kind"] == "EndpointSlice"
    assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
