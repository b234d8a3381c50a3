"""Batches of complete packets: the same as one packet after another."""

from __future__ import annotations

from typing import Any

import kdp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kdp.errors import KdpError
from kdp.flows import VERDICTS
from kdp.packets import STATES

TOPOLOGY = {"devs": {"eth0": ["10.0.0.1/24"], "cni0": ["10.244.1.1/24"]}, "default": "eth0"}
RULES = """\
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d 10.96.0.10 -p tcp -m statistic --mode random --probability 0.5 -j DNAT --to 10.244.1.5:8080
-A PREROUTING -d 10.96.0.10/32 -p tcp -j DNAT --to-destination 10.244.1.6:8080
-A POSTROUTING -o cni0 -j MASQUERADE
COMMIT
*filter
:FORWARD ACCEPT [0:0]
-A FORWARD -m conntrack --ctstate INVALID -j DROP
-A FORWARD -p udp -j REJECT --reject-with icmp-port-unreachable
COMMIT
"""
OF_VERDICT = {"forward": "forwarded", "local": "delivered", "drop": "dropped", "reject": "rejected"}


def box() -> kdp.Host:
    made = kdp.Host(TOPOLOGY, seed=3)
    made.load_rules(RULES)
    return made


PACKET = st.fixed_dictionaries(
    {
        "proto": st.sampled_from(["tcp", "tcp", "tcp", "udp", "icmp"]),
        "sport": st.integers(1000, 1002),
        "dst": st.sampled_from(["10.96.0.10", "10.244.1.5", "10.0.0.1"]),
        "flags": st.sampled_from(["S", "S.", ".", "P.", "F.", "R", "R.", ""]),
        "seq": st.integers(0, 3),
        "ack": st.integers(0, 3),
        "length": st.integers(40, 60),
        "ttl": st.integers(0, 3),
        "wait": st.sampled_from([0, 1, 10**9, 200 * 10**9]),
    }
)


def line_of(row: dict[str, Any]) -> str:
    """A row of the batch in the packet language."""
    tail = f"ttl {row['ttl']} df len {row['length'] - {'tcp': 40, 'udp': 28, 'icmp': 28}[row['proto']]}"
    if row["proto"] == "icmp":
        return f"icmp 10.0.0.9 > {row['dst']} id {row['sport']} {tail}"
    words = (
        f"{row['flags'] or 'none'} seq {row['seq']} ack {row['ack']} win 64240"
        if row["proto"] == "tcp"
        else ""
    )
    return f"{row['proto']} 10.0.0.9:{row['sport']} > {row['dst']}:80 {words} {tail}"


@given(st.lists(PACKET, max_size=30))
@settings(max_examples=60, deadline=None)
def test_a_batch_is_its_packets_one_by_one(rows: list[dict[str, Any]]) -> None:
    one_by_one, whole = box(), box()
    times = np.cumsum([row["wait"] for row in rows], dtype=np.uint64) if rows else np.zeros(0, np.uint64)
    expected = []
    for row, time in zip(rows, times.tolist(), strict=True):
        one_by_one.advance(time - one_by_one.now)
        seen = one_by_one.packet(line_of(row), device="eth0")
        expected.append((OF_VERDICT[seen.verdict], seen.ctstate[:1], seen.rules_walked))
    columns: dict[str, Any] = {key: [row[key] for row in rows] for key in PACKET_KEYS}
    columns = {key: np.array(value, dtype=None if value else np.uint8) for key, value in columns.items()}
    icmp = np.array([row["proto"] == "icmp" for row in rows], dtype=bool)
    dport = np.where(icmp, 8 * 256, 80).astype(np.uint16)
    result = whole.send(kdp.Packets(src="10.0.0.9", dport=dport, time_ns=times, device="eth0", **columns))
    got = [
        (VERDICTS[verdict], () if state == 255 else (STATES[state],), walked)
        for verdict, state, walked in zip(
            result.verdict.tolist(), result.state.tolist(), result.rules_walked.tolist(), strict=True
        )
    ]
    assert got == expected
    assert whole.conntrack_tool("-L") == one_by_one.conntrack_tool("-L")


PACKET_KEYS = ("proto", "sport", "dst", "flags", "seq", "ack", "length", "ttl")


def test_columns_are_given_by_scalar_text_and_array() -> None:
    packets = kdp.Packets(
        src="10.0.0.9", dst=0x0A600001, sport=[1, 2], dport=80, flags=["S", "S."], proto="udp"
    )
    assert packets.flags.tolist() == [2, 18]
    assert packets.length.tolist() == [28, 28]
    assert packets.columns()["dst"].tolist() == [0x0A600001] * 2
    assert repr(packets) == "<kdp.Packets: 2 rows>"


def test_without_a_device_a_packet_comes_by_the_way_back() -> None:
    result = box().send(
        kdp.Packets(src=["10.244.1.9", "8.8.8.8", "10.0.0.1"], dst="10.0.0.7", dport=1, sport=1)
    )
    assert [result.devices[number - 1] for number in result.device.tolist()] == ["eth0", "eth0", "eth0"]
    assert result.count_by("verdict") == {"forwarded": 3}


@pytest.mark.parametrize(
    ("columns", "code", "said"),
    [
        ({"dst": "fd00::1"}, "flows-ipv6-not-modelled", "kdp.Packets(dst=...)"),
        ({"dst": "here"}, "argument-invalid", "'here' is no IP address"),
        ({"sport": 70000}, "flows-range", "70000 is outside 0..=65535"),
        ({"sport": 1.5}, "flows-dtype", "float64"),
        ({"sport": [1, 2], "dport": [1, 2, 3]}, "flows-shape", "sport has 2, dport has 3"),
        ({"sport": [[1]]}, "flows-shape", "(1, 1)"),
        ({"flags": "SX"}, "argument-invalid", "'SX'"),
        ({"proto": "tpc"}, "argument-invalid", "icmp, tcp, udp"),
        ({"length": 39}, "flows-range", "39 is less than the headers' 40"),
        ({"time_ns": [5, 4]}, "flows-range", "time_ns of row 1"),
        ({"proto": 132}, "flows-range", "no chunks"),
        ({"device": "eth9"}, "argument-invalid", "'eth9' is not one of lo, eth0, cni0, local"),
        ({"device": ["eth0", "eth0"]}, "flows-shape", "2 names for 1 rows"),
    ],
)
def test_a_wrong_column_is_named(columns: dict[str, Any], code: str, said: str) -> None:
    plain: dict[str, Any] = {"src": "10.0.0.9", "dst": "10.96.0.10", "sport": 1, "dport": 80}
    with pytest.raises(KdpError) as caught:
        box().send(kdp.Packets(**(plain | columns)))
    assert caught.value.code == code
    assert said in caught.value.message


def test_a_result_counts_what_it_has() -> None:
    result = box().send(kdp.Packets(src="10.0.0.9", dst="10.96.0.10", sport=[1, 2], dport=80, device="eth0"))
    assert result.count_by("state") == {"NEW": 2}
    assert set(result.columns()) == {
        "verdict",
        "device",
        "src",
        "sport",
        "dst",
        "dport",
        "state",
        "rules_walked",
    }
    with pytest.raises(KdpError):
        result.count_by("endpoint")
