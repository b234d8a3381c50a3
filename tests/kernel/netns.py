"""A private network namespace: nothing that happens in it is seen outside, and it ends with the process."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNET = 0x40000000  # Source: include/uapi/linux/sched.h
_libc = ctypes.CDLL(None, use_errno=True)


class CommandError(RuntimeError):
    """A command in the namespace that did not succeed: what it was and what it said."""


class NetworkNamespace:
    """A network namespace without a name, held by one file descriptor.

    Only the calling thread moves in and out. Whoever opens a socket or a TUN device ``inside()`` may use it from
    outside afterwards: such things keep the namespace that they were made in.
    """

    def __init__(self) -> None:
        self._home = _own_namespace()
        _check(_libc.unshare(_CLONE_NEWNET), "unshare(CLONE_NEWNET)")
        try:
            self._there = _own_namespace()
        finally:
            _check(_libc.setns(self._home, _CLONE_NEWNET), "setns back to the namespace of the process")

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Move the calling thread in, and out again at the end."""
        _check(_libc.setns(self._there, _CLONE_NEWNET), "setns into the private namespace")
        try:
            yield
        finally:
            _check(_libc.setns(self._home, _CLONE_NEWNET), "setns back to the namespace of the process")

    def run(self, command: Sequence[str], text: str = "") -> str:
        """Run a command inside with ``text`` on its standard input; give what it prints."""
        with self.inside():
            done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
        if done.returncode:
            raise CommandError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def attempt(self, command: Sequence[str]) -> tuple[int, str]:
        """Run a command inside, whether it succeeds or not: its exit status, and all that it printed."""
        with self.inside():
            done = subprocess.run(command, text=True, capture_output=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def sysctl(self, key: str, value: int | str, *, optional: bool = False) -> None:
        """Set a sysctl of this namespace; ``optional``: one that this kernel may not have per namespace."""
        path = Path("/proc/sys") / key.replace(".", "/")
        with self.inside():
            if optional and not path.exists():
                return
            path.write_text(str(value))

    def close(self) -> None:
        """Let go of it: with the last socket and device it is gone."""
        os.close(self._there)
        os.close(self._home)


def _own_namespace() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
