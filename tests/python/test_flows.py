"""Columns are checked at the edge: length, dtype, range and family, with the name of the argument."""

from __future__ import annotations

from typing import Any

import kdp
import numpy as np
import pytest
from kdp.flows import Flows


def good(**changed: Any) -> dict[str, Any]:
    columns = {"src": np.array([1, 2], np.uint32), "sport": [1024, 1025], "dst": "10.99.1.1", "dport": 80}
    return {**columns, **changed}


def test_scalars_are_repeated_and_texts_read() -> None:
    flows = Flows(**good())
    assert len(flows) == 2
    assert flows.dst.tolist() == [0x0A630101, 0x0A630101]
    assert flows.dport.tolist() == [80, 80]
    assert flows.proto.tolist() == [6, 6]
    assert [column.dtype.name for column in flows.columns().values()] == [
        "uint32",
        "uint16",
        "uint32",
        "uint16",
        "uint8",
    ]


def test_texts_may_come_in_lists() -> None:
    flows = Flows(
        src=["10.0.0.1", "10.0.0.2"], sport=1, dst=["10.0.0.9", "10.0.0.9"], dport=2, proto=["tcp", "udp"]
    )
    assert flows.src.tolist() == [0x0A000001, 0x0A000002]
    assert flows.proto.tolist() == [6, 17]


def test_a_column_of_the_right_dtype_is_not_copied() -> None:
    src = np.array([1, 2], np.uint32)
    assert np.shares_memory(Flows(**good(src=src)).src, src)


def test_all_scalars_are_one_flow_and_nothing_is_none() -> None:
    assert len(Flows(src="10.0.0.1", sport=1, dst="10.0.0.2", dport=2)) == 1
    assert len(Flows(src=np.array([], np.uint32), sport=1, dst="10.0.0.2", dport=2)) == 0


def test_rows_are_taken_by_slice_and_mask() -> None:
    flows = Flows(**good())
    assert flows[1:].sport.tolist() == [1025]
    assert flows[np.array([True, False])].sport.tolist() == [1024]


@pytest.mark.parametrize(
    ("changed", "code", "message"),
    [
        ({"sport": [1, 2, 3]}, "flows-shape", "kdp.Flows: columns differ in length: src has 2, sport has 3"),
        ({"sport": [[1, 2]]}, "flows-shape", "kdp.Flows(sport=...): shape (1, 2) is not (n,)"),
        ({"dport": 70000}, "flows-range", "kdp.Flows(dport=...): 70000 is outside 0..=65535"),
        ({"dport": -1}, "flows-range", "kdp.Flows(dport=...): -1 is outside 0..=65535"),
        (
            {"src": [0.5, 1.5]},
            "flows-dtype",
            "kdp.Flows(src=...): whole numbers (uint32) are wanted, not float64",
        ),
        ({"dst": "mysql"}, "argument-invalid", "kdp.Flows(dst=...): 'mysql' is no IP address"),
        (
            {"proto": "icmq"},
            "argument-invalid",
            "kdp.Flows(proto=...): 'icmq' is not one of tcp, udp",
        ),
        (
            {"proto": 132},
            "packet-not-modelled",
            "kdp.Flows(proto=...): flows of protocol 132 are not modelled",
        ),
        ({"dst": "fd00::1"}, "flows-ipv6-not-modelled", "kdp.Flows(dst=...): fd00::1 is IPv6"),
    ],
)
def test_an_error_names_the_column(changed: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(kdp.KdpError) as caught:
        Flows(**good(**changed))
    assert caught.value.code == code
    assert message in str(caught.value)
