"""Files, folders and standard input become named bytes; what is not there is named, with what is near."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import kdp
import pytest
from kdp.sources import from_objects, from_paths


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.yaml", "a.json", "c.yml", "notes.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "d.yaml").write_text("d.yaml")
    return tmp_path


def test_a_folder_is_its_files_in_the_order_of_names(folder: Path) -> None:
    assert [data for _, data in from_paths(folder)] == [b"a.json", b"b.yaml", b"c.yml"]


def test_recursive_looks_into_its_folders_too(folder: Path) -> None:
    names = [Path(name).name for name, _ in from_paths([folder], recursive=True)]
    assert names == ["a.json", "b.yaml", "d.yaml", "c.yml"]


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"kind: Pod")))
    assert from_paths("-") == [("-", b"kind: Pod")]


def test_a_file_that_is_not_there_comes_with_those_near(folder: Path) -> None:
    with pytest.raises(kdp.LoadError) as caught:
        from_paths(folder / "b.yml")
    assert caught.value.code == "file-not-found"
    assert "near it: " in str(caught.value)
    assert "b.yaml" in str(caught.value)


def test_a_folder_without_objects_says_so(folder: Path) -> None:
    (folder / "below" / "d.yaml").unlink()
    with pytest.raises(kdp.LoadError) as caught:
        from_paths(folder / "below")
    assert caught.value.code == "folder-empty"
    assert "-R" in str(caught.value)


def test_objects_are_one_list() -> None:
    [(name, data)] = from_objects([kdp.Pod("a"), {"kind": "Node"}])
    assert name == "objects"
    assert [each["kind"] for each in json.loads(data)["items"]] == ["Pod", "Node"]


@pytest.mark.parametrize("objects", [["text"], [{"kind": {1, 2}}]])
def test_what_is_no_manifest_is_refused(objects: list[object]) -> None:
    with pytest.raises(kdp.UsageError) as caught:
        from_objects(objects)  # type: ignore[arg-type] # the point
    assert caught.value.code == "argument-invalid"
