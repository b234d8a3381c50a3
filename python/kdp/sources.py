"""Where objects come from: files, folders, standard input, or Python objects; all as named bytes.

Parsing is the core's work: nothing is read here but bytes.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kdp.arguments import bad_argument, nearest
from kdp.errors import LoadError, UsageError

__all__ = ["Source", "from_objects", "from_paths", "read_bytes"]

Source = tuple[str, bytes]
"""A name for messages, and the bytes."""

SUFFIXES = (".yaml", ".yml", ".json")


def from_paths(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    recursive: bool = False,
) -> list[Source]:
    """Read files, folders (their ``.yaml``, ``.yml`` and ``.json`` files in the order of names) and ``-``.

    Raises ``LoadError`` with ``file-not-found``, ``file-unreadable`` or ``folder-empty``, and ``UsageError`` with
    ``no-objects`` where all of it is empty.
    """
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    sources = [(path, _read(path)) for path in _expand(given, recursive=recursive)]
    if sources and not any(data.strip() for _, data in sources):
        raise UsageError("no-objects", f"no objects: {', '.join(name for name, _ in sources)} is empty")
    return sources


def from_objects(objects: Iterable[Mapping[str, Any]]) -> list[Source]:
    """Write manifests as one JSON text."""
    listed = list(objects)
    for at, manifest in enumerate(listed):
        if not isinstance(manifest, Mapping):
            raise bad_argument("kdp.Cluster(objects=...)", f"item {at} is no manifest but {manifest!r}")
    try:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": listed}, default=_as_manifest)
    except (TypeError, ValueError) as error:
        raise bad_argument("kdp.Cluster(objects=...)", f"a manifest is plain JSON: {error}") from None
    return [("objects", text.encode())]


def read_bytes(path: str) -> bytes:
    """Read one file, or standard input for ``-``; the errors are those of ``from_paths``."""
    return _read(path)


def _as_manifest(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r} is not")


def _expand(paths: Iterable[str | os.PathLike[str]], *, recursive: bool) -> Iterator[str]:
    for path in paths:
        text = os.fspath(path)
        if text == "-":
            yield text
        elif Path(text).is_dir():
            yield from _files_of(Path(text), recursive=recursive)
        else:
            yield text


def _files_of(folder: Path, *, recursive: bool) -> list[str]:
    found = folder.rglob("*") if recursive else folder.glob("*")
    files = sorted(str(path) for path in found if path.suffix in SUFFIXES and path.is_file())
    if not files:
        below = "" if recursive else "; -R (recursive=True) looks into its folders too"
        raise LoadError("folder-empty", f"{folder}: no .yaml, .yml or .json file in this folder{below}")
    return files


def _read(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise LoadError("file-not-found", f"{path}: there is no such file or folder{_near(path)}") from None
    except OSError as error:
        raise LoadError("file-unreadable", f"{path}: cannot be read: {error.strerror}") from None


def _near(path: str) -> str:
    folder = Path(path).parent
    if not folder.is_dir():
        return f"; nor is there a folder {folder}"
    near = nearest(Path(path).name, (entry.name for entry in folder.iterdir()))
    return f"; near it: {', '.join(str(folder / name) for name in near)}" if near else ""
