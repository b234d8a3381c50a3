"""A box from what a real machine's tools print."""

from __future__ import annotations

import json

import pytest
from kdp.box import read_box
from kdp.errors import KdpError

ADDR = [
    {
        "ifname": "lo",
        "addr_info": [{"local": "127.0.0.1", "prefixlen": 8}, {"local": "10.0.0.99", "prefixlen": 32}],
    },
    {
        "ifname": "eth0@if7",
        "mtu": 1400,
        "flags": ["UP"],
        "addr_info": [{"local": "10.0.0.1", "prefixlen": 24}, {"local": "fe80::1", "prefixlen": 64}],
    },
    {"ifname": "eth1", "flags": ["UP"], "addr_info": [{"local": "10.1.0.1", "prefixlen": 24}]},
]
ROUTE = [
    {"dst": "default", "gateway": "10.0.0.254", "dev": "eth0"},
    {"dst": "10.0.0.0/24", "dev": "eth0", "protocol": "kernel"},
    {"dst": "10.9.0.0/16", "type": "blackhole"},
    {"dst": "10.8.0.0/16", "gateway": "10.1.0.7", "dev": "eth1", "table": "100"},
]
RULE = [
    {"priority": 0, "src": "all", "table": "local"},
    {"priority": 100, "src": "all", "fwmark": "0x1", "table": "100"},
    {"priority": 32766, "src": "all", "table": "main"},
]
SYSCTL = """\
kernel.hostname = node-1
net.ipv4.ip_forward = 1
net.ipv4.conf.all.rp_filter = 0
net.ipv4.conf.eth0.rp_filter = 1
net.ipv4.conf.eth1.rp_filter = 1
net.netfilter.nf_conntrack_udp_timeout = 11
net.netfilter.nf_conntrack_count = 77
"""


def sources(*given: object) -> list[tuple[str, bytes]]:
    texts = [each if isinstance(each, str) else json.dumps(each) for each in given]
    return [(f"file{number}", text.encode()) for number, text in enumerate(texts, 1)]


def test_a_box_is_what_its_tools_print() -> None:
    box = read_box(sources(ADDR, ROUTE, RULE, SYSCTL))
    host = box.host()
    assert host.devices == ["lo", "eth0", "eth1"]
    assert box.topology["sysctl"] == {
        "net.ipv4.ip_forward": "1",
        "net.netfilter.nf_conntrack_udp_timeout": "11",
        "net.ipv4.conf.all.rp_filter": "1",
    }
    assert box.notes == ["3 of 7 sysctls decide about packets here; the others are left out"]
    assert host.way_in("203.0.113.9") == "eth0"
    assert host.way_in("10.0.0.99") == ""
    assert host.packet("udp 10.0.0.9:1 > 10.9.0.1:2", device="eth0").reason == "a blackhole route takes it"
    marked = host.packet("udp 10.0.0.9:1 > 10.8.0.1:2 mark 1", device="eth0")
    assert [device for device, _ in marked.outs] == ["eth1"]
    assert host.packet("udp 10.0.0.9:1 > 10.8.0.1:2", device="eth0").outs[0][0] == "eth0"
    assert host.conntrack()[0]["timeout"] == 11
    assert host.packet("udp 10.1.0.9:1 > 203.0.113.1:2 len 1380 df", device="eth1").verdict == "reject"


def test_a_case_is_a_description_and_topologies_are_merged() -> None:
    case = {"scenario": {}, "topology": {"devs": {"eth0": ["10.0.0.1/24"]}, "default": "eth0"}}
    box = read_box(sources(case, {"devs": {"eth1": ["10.1.0.1/24"]}, "routes": [["10.2.0.0/16", "eth1"]]}))
    assert box.host().way_in("10.2.3.4") == "eth1"
    assert box.host().way_in("1.1.1.1") == "eth0"


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ((), "topology-unknown", "no device"),
        (("just words\n",), "topology-unknown", "file1: it is neither a topology"),
        (("",), "topology-unknown", "file1"),
        (("{",), "json-syntax", "file1:1:2"),
        (([{"what": 1}],), "topology-unknown", "file1"),
        (({"nodes": []},), "topology-unknown", "file1"),
        ((ADDR, [{"dst": "default", "nexthops": []}]), "topology-invalid", "several next hops"),
        ((ADDR, [{"priority": 5, "src": "10.0.0.0", "table": "7"}]), "topology-invalid", "only fwmark rules"),
        (
            (ADDR, SYSCTL.replace("eth1.rp_filter = 1", "eth1.rp_filter = 2")),
            "topology-invalid",
            "eth0 1, eth1 2",
        ),
    ],
)
def test_what_is_no_box_is_named(given: tuple[object, ...], code: str, said: str) -> None:
    with pytest.raises(KdpError) as caught:
        read_box(sources(*given))
    assert caught.value.code == code
    assert said in caught.value.message


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(KdpError) as caught:
        read_box([("file1", b"\xff\xfe")])
    assert caught.value.code == "source-not-text"
