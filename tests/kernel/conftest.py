"""Every test here asks the Linux kernel; where it cannot be asked, the reason is named."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.judge import Judge, MakeJudge

_TOOLS = ("ip", "iptables-restore", "ip6tables-restore", "nft")
_HERE = Path(__file__).parent


def _obstacle() -> str | None:
    if os.geteuid() != 0:
        return "the kernel tests need root, to make a network namespace"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return f"the kernel tests need {', '.join(missing)}: apt-get install iproute2 iptables nftables"
    try:
        Judge({"devs": {"probe0": ["192.0.2.1/24"]}}).close()
    except (OSError, RuntimeError) as error:
        return f"this machine gives no network namespace with a TUN device: {error}"
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what lies in this folder."""
    del config
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.kernel)


@pytest.fixture(scope="session")
def kernel() -> None:
    """The kernel can be asked; if not: a skip that names the reason, or with KDP_REQUIRE_KERNEL=1 a failure."""
    obstacle = _obstacle()
    if obstacle is not None:
        if os.environ.get("KDP_REQUIRE_KERNEL") == "1":
            pytest.fail(obstacle)
        pytest.skip(obstacle)


@pytest.fixture
def judge(kernel: None) -> Iterator[MakeJudge]:
    """Make judges, and end their namespaces with the test."""
    del kernel
    made: list[Judge] = []

    def make(topology: Mapping[str, Any]) -> Judge:
        made.append(Judge(topology))
        return made[-1]

    yield make
    for one in made:
        one.close()
