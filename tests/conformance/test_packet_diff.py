"""Two runs are the same if each drawn number of the one stands for one of the other; nothing else may differ."""

from __future__ import annotations

from typing import Any

import pytest
from kdp.conformance import wire
from kdp.conformance.masked import masked
from kdp.conformance.packet_diff import Numbers, conntrack_differences, step_differences

from tests.conformance.packet_cases import Case, named_numbers, packet_cases


def forwarded(packet: bytes, device: str = "pod0") -> dict[str, Any]:
    return {
        "dev": "cli0",
        "verdict": "forward",
        "ctstate": ["NEW"],
        "outs_hex": [[device, packet.hex()]],
        "local_hex": [],
    }


def from_port(sport: int, **more: Any) -> dict[str, Any]:
    return forwarded(wire.tcp("10.244.0.1", "10.244.0.2", sport, 8080, **more))


def entry(sport: int, **more: Any) -> dict[str, Any]:
    orig = {"src": "10.0.0.5", "dst": "10.96.0.1", "proto": "tcp", "sport": 1000, "dport": 80}
    reply = {"src": "10.244.0.2", "dst": "10.244.0.1", "proto": "tcp", "sport": 8080, "dport": sport}
    return {
        "orig": orig,
        "reply": reply,
        "flags": ["SRC_NAT", "CONFIRMED"],
        "timeout": 120,
        "mark": 0,
        "zone": 0,
        **more,
    }


def test_a_drawn_port_stands_for_another_throughout() -> None:
    numbers = Numbers(named=[8080])
    assert step_differences(from_port(40000), from_port(50000), numbers) == []
    assert step_differences(from_port(40000, flags="A"), from_port(50000, flags="A"), numbers) == []
    assert step_differences(from_port(40000), from_port(50001), numbers) != [], "it stood for 50000"
    assert step_differences(from_port(40001), from_port(50000), numbers) != [], "50000 is taken"
    assert conntrack_differences([entry(40000)], [entry(50000)], numbers) == []
    assert conntrack_differences([entry(40000)], [entry(50001)], numbers) != []


def test_by_ends_a_port_may_stand_for_two() -> None:
    def to(address: str, sport: int) -> dict[str, Any]:
        return forwarded(wire.tcp("10.244.0.1", address, sport, 8080))

    for by_ends in (False, True):
        numbers = Numbers(named=[8080], by_ends=by_ends)
        assert step_differences(to("10.244.0.2", 40000), to("10.244.0.2", 50000), numbers) == []
        assert (step_differences(to("10.244.0.3", 40000), to("10.244.0.3", 50001), numbers) == []) is by_ends
        back = (
            wire.tcp("10.244.0.2", "10.244.0.1", 8080, 40000),
            wire.tcp("10.244.0.2", "10.244.0.1", 8080, 50001),
        )
        assert step_differences(forwarded(back[0]), forwarded(back[1]), numbers) != [], (
            "it stood for 50000 there"
        )


def test_a_named_number_stands_for_itself() -> None:
    assert step_differences(from_port(1000), from_port(2000), Numbers(named=[1000])) != []
    assert step_differences(from_port(2000), from_port(1000), Numbers(named=[1000])) != []


@pytest.mark.parametrize(("one", "other"), [(100, 600), (600, 5000), (100, 5000)])
def test_a_drawn_port_stays_in_its_class(one: int, other: int) -> None:
    assert step_differences(from_port(one), from_port(other), Numbers()) != []


@pytest.mark.parametrize(
    "changed",
    [
        {"seq": 1},
        {"ttl": 63},
        {"tos": 4},
        {"ident": 1},
        {"win": 1},
        {"data": b"x"},
        {"flags": "A"},
        {"badsum": True},
    ],
    ids=str,
)
def test_everything_else_must_be_equal(changed: dict[str, Any]) -> None:
    assert step_differences(from_port(40000), from_port(50000, **changed), Numbers()) != []


def test_verdict_state_and_device_must_be_equal() -> None:
    one = from_port(40000)
    assert step_differences(one, {**one, "verdict": "reject"}, Numbers()) != []
    assert step_differences(one, {**one, "ctstate": ["INVALID"]}, Numbers()) != []
    assert step_differences(one, {**one, "outs_hex": [["ext0", one["outs_hex"][0][1]]]}, Numbers()) != []


def test_entries_match_in_any_order_and_known_ports_first() -> None:
    numbers = Numbers()
    assert step_differences(from_port(40002), from_port(50002), numbers) == []
    there, here = [entry(40001), entry(40002)], [entry(50002), entry(50001)]
    assert conntrack_differences(there, here, numbers) == []
    assert conntrack_differences(there, here[:1], numbers) != []


@pytest.mark.parametrize(
    "changed", [{"timeout": 60}, {"mark": 1}, {"zone": 1}, {"flags": []}, {"tcp": {"state": "CLOSE"}}]
)
def test_an_entry_must_be_equal_in_all_but_drawn_ports(changed: dict[str, Any]) -> None:
    assert conntrack_differences([entry(40000)], [entry(50000, **changed)], Numbers()) != []


def test_a_quoted_packet_is_masked_like_one_that_travels() -> None:
    def error(sport: int, seq: int = 0) -> bytes:
        inner = wire.tcp("10.0.0.5", "10.0.1.1", sport, 80, seq=seq)
        return wire.icmp("10.0.1.1", "10.0.0.5", type=3, code=3, rest=bytes(4), data=inner)

    assert masked(error(40000)).rest == masked(error(50000)).rest
    assert masked(error(40000)).rest != masked(error(50000, seq=1)).rest
    assert [number.value for number in masked(error(40000)).numbers] == [40000, 80]


@pytest.mark.parametrize("case", packet_cases().values(), ids=list(packet_cases()))
def test_a_recorded_run_is_the_same_as_itself(case: Case) -> None:
    numbers = Numbers(named_numbers(case))
    for step in case["observed"]["steps"]:
        if "outs_hex" in step and "dev" in step:
            assert step_differences(step, step, numbers) == []
