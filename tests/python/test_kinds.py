"""A kind has many names."""

from __future__ import annotations

import kdp
import pytest
from kdp.kinds import find_kind, split_reference


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("svc", "Service"),
        ("services", "Service"),
        ("Service", "Service"),
        ("ep", "Endpoints"),
        ("endpointslices.discovery.k8s.io", "EndpointSlice"),
        ("deploy", "Deployment"),
        ("smon", "ServiceMonitor"),
        ("PO", "Pod"),
    ],
)
def test_it_is_found_by_each(name: str, kind: str) -> None:
    assert find_kind(name).kind == kind


def test_an_unknown_one_comes_with_the_nearest() -> None:
    with pytest.raises(kdp.NotFoundError) as caught:
        find_kind("servics")
    assert caught.value.code == "kind-unknown"
    assert "nearest: services" in str(caught.value)


@pytest.mark.parametrize("text", ["", "/", "a/", "/b", "a/b/c"])
def test_a_reference_is_a_name_or_two(text: str) -> None:
    with pytest.raises(kdp.UsageError):
        split_reference(text)


def test_a_reference_is_split() -> None:
    assert split_reference("web") == (None, "web")
    assert split_reference("shop/web") == ("shop", "web")
