"""``-m quota``: which packet of a stream is the first that no longer passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kdp
import pytest
from kdp.conformance import wire

if TYPE_CHECKING:
    from tests.kernel.judge import MakeJudge

BOX = {"devs": {"left0": ["10.0.0.1/24"], "right0": ["10.1.0.1/24"]}}
LENGTHS = [100, 50, 200, 0, 3, 100, 1]


@pytest.mark.parametrize(
    "rule", ["--quota 300", "! --quota 300", "--quota 0", "--quota 128", "! --quota 127"]
)
def test_a_quota_ends_where_the_kernels_ends(judge: MakeJudge, rule: str) -> None:
    text = f"*filter\n-A FORWARD -m quota {rule} -j DROP\nCOMMIT\n"
    linux = judge(BOX)
    linux.load_rules(text)
    host = kdp.Host(BOX)
    host.load_rules(text)
    for step, length in enumerate(LENGTHS):
        packet = wire.udp("10.0.0.2", "10.1.0.2", 5000, 53, data=bytes(length))
        assert host.receive("left0", packet).verdict == linux.receive("left0", packet).verdict, step
