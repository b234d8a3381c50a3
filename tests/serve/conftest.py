"""A cluster that is served, and every kubectl that is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSIONS = [f"1.{minor}" for minor in range(27, 34)]


def find_kubectl(version: str) -> str | None:
    """Find ``kubectl.1.NN`` on PATH or beside ``kubectl``."""
    plain = shutil.which("kubectl")
    beside = Path(plain).resolve().parent / f"kubectl.{version}" if plain else None
    return shutil.which(f"kubectl.{version}") or (str(beside) if beside and beside.exists() else None)


class Served:
    """A running ``kdp serve``."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.kubeconfig = folder / "kubeconfig"
        self.folder = folder
        command = [
            sys.executable,
            "-m",
            "kdp",
            "serve",
            "examples/mysql",
            "--kubeconfig",
            str(self.kubeconfig),
        ]
        self.process = subprocess.Popen(
            [*command, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        first, second = self.process.stdout.readline(), self.process.stdout.readline()
        assert first.startswith("export KUBECONFIG="), self.process.communicate()
        found = re.search(r"API (http://\S+), DNS 127\.0\.0\.1:(\d+);", second)
        assert found, second
        self.url, self.dns_port = found.group(1), int(found.group(2))

    def kubectl(self, version: str, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a kubectl of that version."""
        program = find_kubectl(version)
        assert program is not None
        cache = self.folder / f"cache-{version}"
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.folder)}
        return subprocess.run(
            [program, f"--cache-dir={cache}", *words],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=environment,
        )

    def end(self) -> None:
        """End the server, which must end quietly."""
        self.process.terminate()
        out, err = self.process.communicate(timeout=20)
        assert (self.process.returncode, out, err) == (0, "", "")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve the example's cluster."""
    server = Served(tmp_path_factory.mktemp("served"), "--speed", "5x")
    yield server
    server.end()


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Give each version of kubectl that is there."""
    if find_kubectl(request.param) is None:
        if os.environ.get("KDP_REQUIRE_KUBECTL") and not any(map(find_kubectl, VERSIONS)):
            pytest.fail("no kubectl of any version is there, and KDP_REQUIRE_KUBECTL is set")
        pytest.skip(f"kubectl.{request.param} is not on PATH")
    return str(request.param)
