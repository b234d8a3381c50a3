"""Which cases a path holds, told by the content of its files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from kdp import _core
from kdp.arguments import nearest
from kdp.casefiles import controllers, dns, flows, prometheus
from kdp.casefiles.case import Case, Differences
from kdp.casefiles.packets import compare_packets
from kdp.casefiles.rules import LISTINGS, compare_rules
from kdp.casefiles.slices import compare_slices
from kdp.errors import LoadError, UsageError

__all__ = ["KINDS", "find_cases"]

Json = Mapping[str, Any]

KINDS = (
    "flows",
    "selectors",
    "slices",
    "endpoints",
    "repack",
    "truncate",
    "churn",
    "packets",
    "tcp",
    "rules",
    "dns",
    "resolver",
    "targets",
    "faults",
)
SUFFIXES = (".yaml", ".yml", ".json", ".jsonl")
OBJECTS, OBJECTS_AFTER, PROXY = "objects.yaml", "objects-step2.yaml", "proxy.yaml"
REFERENCE = "churn_reference.json"


def find_cases(paths: Iterable[str]) -> list[Case]:
    """Every case of files and folders (with the folders in them), in the order of names.

    In a folder what is no case is passed over; a file that is named and is none is an error (``case-invalid``).
    """
    cases: list[Case] = []
    for path in paths:
        place = Path(path)
        if place.is_dir():
            found = list(_in_folder(place))
            if not found:
                raise UsageError("case-invalid", f"{path}: there is no case file in this folder")
            cases += found
        elif place.is_file():
            cases += _named(place)
        else:
            raise LoadError("file-not-found", f"{path}: there is no such file or folder{_near(place)}")
    return cases


def _near(place: Path) -> str:
    names = [entry.name for entry in place.parent.iterdir()] if place.parent.is_dir() else []
    near = nearest(place.name, names)
    return f"; near it: {', '.join(str(place.parent / name) for name in near)}" if near else ""


def _in_folder(folder: Path) -> Iterator[Case]:
    if _is_rules(folder):
        yield from _rules(folder)
        return
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            yield from _in_folder(entry)
        elif entry.suffix in SUFFIXES and not (entry.suffix == ".jsonl" and _reference(entry)):
            yield from _of_file(entry)


def _named(place: Path) -> list[Case]:
    """The cases of a file that was asked for by its name."""
    if _is_rules(place.parent):
        listing = place.name if place.name.startswith("node1") else ""
        found = [case for case in _rules(place.parent) if not listing or case.path.endswith(listing)]
    else:
        found = list(_of_file(place))
    if not found:
        raise UsageError(
            "case-invalid",
            f"{place}: it is no case file of a kind that kdp knows; these are: {', '.join(KINDS)} (docs/case-files.md)",
        )
    return found


def _read(place: Path) -> Any:  # noqa: ANN401 -- any JSON
    try:
        data = place.read_bytes()
    except OSError as error:
        raise LoadError("file-unreadable", f"{place}: cannot be read: {error.strerror}") from None
    if place.suffix == ".jsonl":
        return [json.loads(line) for line in data.splitlines() if line.strip()]
    if place.suffix == ".json":
        try:
            return json.loads(data)
        except ValueError as error:
            raise LoadError("json-syntax", f"{place}: {error}") from None
    documents = [json.loads(text) for text in _core.yaml_documents(str(place), data)]
    return documents[0] if len(documents) == 1 else documents


def _of_file(place: Path) -> Iterator[Case]:
    """The cases of a file; none if it holds something else."""
    content = _read(place)
    if isinstance(content, Mapping):
        yield from _of_mapping(place, content)
    elif isinstance(content, list) and content and all(isinstance(row, Mapping) for row in content):
        yield from _of_rows(place, content)


def _case(kind: str, place: Path, compare: Callable[[], Iterable[str]], name: str | None = None) -> Case:
    def compared() -> Differences:
        return list(compare())

    return Case(kind, str(place), name or place.name, compared)


def _of_mapping(place: Path, content: Json) -> Iterator[Case]:
    keys = content.keys()
    if "scenario" in keys:
        yield _case("packets", place, partial(compare_packets, content))
    elif {"sequences", "columns"} <= keys:
        yield _case("tcp", place, partial(flows.compare_tcp, content))
    elif {"flows", "proxy", "objects"} <= keys:
        yield _case("flows", place, partial(flows.compare_flows, content))
    elif {"queries", "config"} <= keys:
        yield _case("dns", place, partial(dns.compare_dns, content))
    elif content.get("controller") == "endpointslice" and "expect" in keys:
        yield _case("slices", place, partial(compare_slices, content))
    elif content.get("controller") == "endpoints" and "expect" in keys:
        yield _case("endpoints", place, partial(controllers.compare_endpoints, content))
    elif content.get("kind") in ("targets", "explain", "roles") and "objects" in keys:
        yield from _of_prometheus(place, content)
    elif isinstance(content.get("rows"), list):
        yield from _of_rows(place, content["rows"])


def _of_prometheus(place: Path, content: Json) -> Iterator[Case]:
    if "expect" in content:
        yield _case("targets", place, partial(prometheus.compare_targets, content))
    if "fault" in content:
        yield _case("faults", place, partial(prometheus.compare_fault, content), f"{place.name} (fault)")


ROWS: Sequence[tuple[str, frozenset[str], Callable[[Json], Iterable[str]]]] = (
    ("resolver", frozenset(("libc", "resolvConf", "expect")), dns.compare_resolver),
    ("selectors", frozenset(("selector", "kind", "expect")), controllers.compare_selector),
    ("repack", frozenset(("given", "expect")), controllers.compare_repack),
    ("truncate", frozenset(("expectReady", "expectNotReady")), controllers.compare_truncate),
)
"""Rows by the keys that they have."""


def _of_rows(place: Path, rows: Sequence[Json]) -> Iterator[Case]:
    if rows and {"file", "controller", "writesMin"} <= rows[0].keys():
        yield from _churn(place, rows)
    elif place.suffix == ".jsonl" and "podDefaults" in rows[0]:
        reference = _reference(place)
        if reference is None:
            raise UsageError("case-invalid", f"{place}: there is no {REFERENCE} near it to compare with")
        yield from (case for case in _churn(reference, _read(reference)["rows"]) if case.name == place.name)
    else:
        for number, row in enumerate(rows):
            for kind, keys, compare in ROWS:
                if keys <= row.keys():
                    name = f"{place.name}#{row.get('id', number)}"
                    yield _case(kind, place, partial(compare, row), name)
                    break


def _reference(place: Path) -> Path | None:
    folders = (place.parent, place.parent.parent)
    return next((folder / REFERENCE for folder in folders if (folder / REFERENCE).is_file()), None)


def _churn(reference: Path, rows: Sequence[Json]) -> Iterator[Case]:
    for file in sorted({row["file"] for row in rows}):
        place = reference.parent / file
        of_file = [row for row in rows if row["file"] == file]
        yield _case("churn", place, partial(_run_churn, of_file, place), Path(file).name)


def _run_churn(rows: Sequence[Json], place: Path) -> Iterable[str]:
    return controllers.compare_churn(rows, _read(place))


def _is_rules(folder: Path) -> bool:
    return (folder / OBJECTS).is_file() and any(folder.glob("node1*.*"))


def _rules(folder: Path) -> Iterator[Case]:
    given = _read(folder / PROXY) if (folder / PROXY).is_file() else {}
    for listing, tool in LISTINGS.items():
        for step, changed in (("", None), ("-step2", OBJECTS_AFTER)):
            real = folder / f"node1{step}.{listing}"
            if real.is_file():
                run = partial(_run_rules, folder, changed, given, tool, real)
                yield _case("rules", real, run, f"{folder.name}{step} {tool}")


def _run_rules(folder: Path, changed: str | None, given: Json, tool: str, real: Path) -> Iterable[str]:
    before = _objects(folder / OBJECTS)
    after = _objects(folder / changed) if changed else None
    return compare_rules(before, after, given, tool, real.read_text())


def _objects(place: Path) -> list[Json]:
    texts = _core.yaml_documents(str(place), place.read_bytes())
    return [found for found in map(json.loads, texts) if found]
