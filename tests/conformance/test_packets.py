"""Packet cases: the recorded packets through kdp, against what the kernel made of them."""

from __future__ import annotations

import pytest
from kdp import conformance
from kdp.conformance.packet_diff import run_differences
from kdp.errors import UnsupportedError

from tests.conformance.packet_cases import Case, named_numbers, packet_cases

NOT_MODELLED: dict[str, str] = {}
"""Cases that kdp refuses, and the words with which it names the reason."""

DIFFERENT = {
    # The kernel chose among endpoints at random, for many flows: no seed repeats all of its choices.
    "kube_3svc_3ep_random": "packet by pod0",
    "kube_affinity_sticky": "packet by pod0",
}
"""Cases that come out otherwise, and what differs first."""


@pytest.mark.parametrize("case", packet_cases().values(), ids=list(packet_cases()))
def test_a_case_comes_out_as_the_kernel_had_it(case: Case) -> None:
    name = case["scenario"]["name"]
    if name in NOT_MODELLED:
        with pytest.raises(UnsupportedError, match=NOT_MODELLED[name]):
            conformance.run_packets(case)
        return
    found: list[str] = []
    for seed in (1, 2, 3):  # a drawn port may by chance be one that the case names
        found = run_differences(
            case["observed"], conformance.run_packets(case, seed=seed), named_numbers(case)
        )
        if not found:
            break
    if name in DIFFERENT:
        assert found, "it comes out alike now: take it off the list"
        assert DIFFERENT[name] in found[0]
    else:
        assert not found, "\n".join(found)


def test_the_lists_name_cases() -> None:
    assert set(NOT_MODELLED) | set(DIFFERENT) <= set(packet_cases())
    assert not set(NOT_MODELLED) & set(DIFFERENT)
