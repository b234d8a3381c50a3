"""kube-proxy's options: by their names on its command line, or as its configuration."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdp.arguments import bad_argument
from kdp.errors import LoadError

__all__ = ["ProxyOptions", "proxy_options"]

ProxyOptions = Mapping[str, Any] | str | os.PathLike[str]
"""Options by name, a KubeProxyConfiguration, or the path of a file that has one."""


def proxy_options(given: ProxyOptions | None, *, timers: bool = False) -> dict[str, Any]:
    """Give kube-proxy's options in the form that the core reads.

    Raises ``LoadError`` (``file-not-found``, ``file-unreadable``) for a file, and ``UsageError`` for what is neither.
    """
    chosen: dict[str, Any] = {"proxy_timers": True} if timers else {}
    if given is None:
        return chosen
    if isinstance(given, str | os.PathLike):
        return chosen | {"proxy_config": {"name": os.fspath(given), "text": _read(os.fspath(given))}}
    if not isinstance(given, Mapping):
        raise bad_argument("kdp.Cluster(proxy=...)", f"options are a mapping or a path, not {given!r}")
    if "kind" in given:
        return chosen | {"proxy_config": {"name": "proxy", "text": json.dumps(given)}}
    return chosen | {"proxy_flags": dict(given)}


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LoadError("file-not-found", f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError("file-unreadable", f"{path}: {error}") from None
