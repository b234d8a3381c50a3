"""Options of TCP segments that rules ask for: well formed, cut short, and with lengths that lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kdp
import pytest
from kdp.conformance import wire

if TYPE_CHECKING:
    from tests.kernel.judge import MakeJudge

BOX = {"devs": {"left0": ["10.0.0.1/24"], "right0": ["10.1.0.1/24"]}}
OPTIONS = [
    b"",
    bytes([2, 4, 5, 180]),
    bytes([1, 1, 4, 2]),
    bytes([0, 1, 4, 2, 0, 0, 0, 0]),
    bytes([8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 3, 3]),
    bytes([7, 0, 3, 3]),
    bytes([3, 200, 8, 8]),
    bytes([254, 4, 9, 9, 1, 1, 1, 3]),
]
KINDS = [1, 2, 3, 4, 8, 254]
RULES = "\n".join(
    [
        "*filter",
        *(f"-A FORWARD -p tcp --dport {1000 + kind} --tcp-option {kind} -j DROP" for kind in KINDS),
        *(f"-A FORWARD -p tcp --dport {2000 + kind} ! --tcp-option {kind} -j DROP" for kind in KINDS),
        "COMMIT",
        "",
    ]
)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: options.hex() or "none")
def test_options_are_found_as_the_kernel_finds_them(judge: MakeJudge, options: bytes) -> None:
    linux = judge(BOX)
    linux.load_rules(RULES)
    host = kdp.Host(BOX)
    host.load_rules(RULES)
    for port in [first + kind for first in (1000, 2000) for kind in KINDS]:
        packet = wire.tcp("10.0.0.2", "10.1.0.2", 5000, port, opts=options)
        said = linux.receive("left0", packet).verdict
        assert host.receive("left0", packet).verdict == said, port
