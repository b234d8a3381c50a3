"""The YAML that kdp writes is read back as the same data, and looks like kubectl's."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kdp.manifest_yaml import to_yaml

texts = st.one_of(
    st.text(max_size=20),
    st.lists(st.sampled_from(["word", "a", "", "it's", "#", "x: y", "ä", "\t", "-"]), max_size=60).map(
        " ".join
    ),
    st.text(alphabet="abc: -#'\"\n\t{}[],&*!|>%@`~01.ex_", max_size=12),
    st.sampled_from(
        ["yes", "NO", "0x1F", "1e3", "1_000", "12:30", "2026-11-25", "<<", "=", ".inf", "~", "", "0o17", "+1"]
    ),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=12,
)


@given(values)
def test_what_is_written_is_read_back(value: object) -> None:
    assert yaml.safe_load(to_yaml(value)) == value


def test_it_looks_like_kubectls() -> None:
    manifest: dict[str, Any] = {
        "spec": {"ports": [{"port": 80, "name": ""}], "selector": {}, "on": "yes", "args": ["-conf", "*"]},
        "kind": "Service",
        "metadata": {"annotations": {"note": "two\nlines\n"}, "creationTimestamp": "2026-11-25T01:00:00Z"},
    }
    assert to_yaml(manifest) == (
        "kind: Service\n"
        "metadata:\n"
        "  annotations:\n"
        "    note: |\n"
        "      two\n"
        "      lines\n"
        '  creationTimestamp: "2026-11-25T01:00:00Z"\n'
        "spec:\n"
        "  args:\n"
        "  - -conf\n"
        "  - '*'\n"
        '  "on": "yes"\n'
        "  ports:\n"
        '  - name: ""\n'
        "    port: 80\n"
        "  selector: {}\n"
    )


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("10.99.1.1", "10.99.1.1"),
        ("mysql:8.0", "mysql:8.0"),
        ("25%", "25%"),
        ("a: b", "'a: b'"),
        ("true", '"true"'),
        ("3306", '"3306"'),
        ("it's", "it's"),
    ],
)
def test_quotes_stand_only_where_yaml_needs_them(text: str, written: str) -> None:
    assert to_yaml(text) == f"{written}\n"
