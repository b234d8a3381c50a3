"""The edges between the crates, as ARCHITECTURE.md states them: what a crate may name."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

BELOW_PROXY = {"sim", "packet", "kube", "netfilter"}
MAY_NAME: dict[str, set[str]] = {
    "sim": set(),
    "packet": set(),
    "kube": {"sim", "packet"},
    "netfilter": {"sim", "packet"},
    "host": {"sim", "packet", "netfilter"},
    "proxy": BELOW_PROXY,
    "cluster": BELOW_PROXY | {"host", "proxy"},
    "py": BELOW_PROXY | {"host", "proxy", "cluster"},
}
PYTHON_CRATES = {"pyo3", "numpy"}
RUNTIMES_AND_SOCKETS = {"tokio", "async-std", "mio", "socket2", "hyper", "axum", "reqwest"}


def manifest(root: Path, crate: str) -> dict[str, Any]:
    """Read the Cargo.toml of a crate."""
    return tomllib.loads((root / "rust" / crate / "Cargo.toml").read_text())


def dependencies(root: Path, crate: str) -> set[str]:
    """List what a crate names, in whichever table: its tests keep to the edges too."""
    tables = ("dependencies", "dev-dependencies", "build-dependencies")
    return {name for table in tables for name in manifest(root, crate).get(table, {})}


def test_each_folder_under_rust_is_a_member_with_edges(root: Path) -> None:
    workspace = tomllib.loads((root / "Cargo.toml").read_text())["workspace"]
    members = [*(f"rust/{crate}" for crate in MAY_NAME), "benches/limits"]
    assert sorted(workspace["members"]) == sorted(members)
    assert sorted(path.parent.name for path in root.glob("rust/*/Cargo.toml")) == sorted(MAY_NAME)


@pytest.mark.parametrize("crate", MAY_NAME)
def test_a_crate_names_only_the_crates_below_it(root: Path, crate: str) -> None:
    named = {name.removeprefix("kdp-") for name in dependencies(root, crate) if name.startswith("kdp-")}
    assert named <= MAY_NAME[crate], f"kdp-{crate} must not know {sorted(named - MAY_NAME[crate])}"


@pytest.mark.parametrize("crate", sorted(MAY_NAME.keys() - {"py"}))
def test_nobody_below_py_names_python(root: Path, crate: str) -> None:
    assert not dependencies(root, crate) & PYTHON_CRATES


@pytest.mark.parametrize("crate", MAY_NAME)
def test_no_crate_has_a_socket_or_a_runtime(root: Path, crate: str) -> None:
    assert not dependencies(root, crate) & RUNTIMES_AND_SOCKETS


@pytest.mark.parametrize("crate", MAY_NAME)
def test_a_crate_takes_versions_and_lints_from_the_workspace(root: Path, crate: str) -> None:
    text = manifest(root, crate)
    assert text["lints"] == {"workspace": True}
    for table in ("dependencies", "dev-dependencies"):
        for name, form in text.get(table, {}).items():
            assert isinstance(form, dict), f"kdp-{crate}: {name} has a version of its own"
            assert form.get("workspace") is True, f"kdp-{crate}: {name} has a version of its own"


def code_without_tests(source: Path) -> dict[Path, str]:
    """Read the code of a crate, without comments and without what is compiled for tests alone."""
    for_tests = re.compile(r"#\[cfg\(test\)\]\s*(?:pub(?:\(\w+\))? )?mod (\w+);")
    found = {}
    for path in sorted(source.rglob("*.rs")):
        parents = [path.with_name(name) for name in ("lib.rs", "mod.rs")] + [path.parent.with_suffix(".rs")]
        declared = {
            name for each in parents if each.is_file() for name in for_tests.findall(each.read_text())
        }
        if path.stem in declared or "tests" in path.parts:
            continue
        found[path] = re.sub(r"//.*", "", path.read_text().split("#[cfg(test)]\nmod tests {")[0])
    return found


@pytest.mark.parametrize("crate", ["netfilter", "host"])
def test_netfilter_and_host_know_no_service(root: Path, crate: str) -> None:
    """Only proxy turns an endpoint into a rule, so below it no code reads meaning in a chain's name."""
    for path, code in code_without_tests(root / "rust" / crate / "src").items():
        assert "KUBE-" not in code, f"{path.relative_to(root)} names a chain of kube-proxy"


@pytest.mark.parametrize("crate", MAY_NAME)
def test_a_crate_uses_what_it_names(root: Path, crate: str) -> None:
    text = "".join(path.read_text() for path in sorted((root / "rust" / crate).rglob("*.rs")))
    unused = {
        name for name in dependencies(root, crate) if not re.search(rf"\b{name.replace('-', '_')}\b", text)
    }
    assert not unused, f"kdp-{crate} names what it does not use"


def test_the_workspace_names_only_what_a_crate_uses(root: Path) -> None:
    workspace = tomllib.loads((root / "Cargo.toml").read_text())["workspace"]
    used = {name for crate in MAY_NAME for name in dependencies(root, crate)}
    assert {name for name in workspace["dependencies"] if not name.startswith("kdp-")} <= used
