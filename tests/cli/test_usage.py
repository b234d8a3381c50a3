"""Mistakes on the command line: a code, what is near, what to do next, and the exit code of usage."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import EXAMPLE, Run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gte", "svc"], "error[usage]: no command 'gte'; did you mean get?"),
        (["zzz"], "commands: get, describe, explain, trace"),
        (["get", "svc", "--namespac", "x"], "error[usage]: No such option"),
        (["get"], "error[usage]: Missing argument"),
        (["get", "svc"], "error[no-objects]: no objects: give them with -f FILE"),
        (["trace", "pod/a", "-f", EXAMPLE], "error[usage]: 1 argument where FROM TO is wanted"),
        (["trace", "was", "b:1", "-f", EXAMPLE], "did you mean pod/was?"),
        (
            ["trace", "svc/a", "b:1", "-f", EXAMPLE],
            "FROM is pod/NAME, node/NAME or an address, not a Service",
        ),
        (["explain", "pod/was", "-f", EXAMPLE], "a Pod is not explained yet"),
        (["get", "pod", "was", "-l", "a=b", "-f", EXAMPLE], "a name and a selector exclude each other"),
        (
            ["get", "pod", "was", "-A", "-f", EXAMPLE],
            "an object cannot be had by its name across all namespaces",
        ),
        (["get", "po", "-o", "yml", "-f", EXAMPLE], "'yml' is no form of output; there are wide, json"),
        (["get", "po", "-o", "jsonpath", "-f", EXAMPLE], "jsonpath needs an argument"),
        (
            ["get", "po", "-o", "jsonpath={.a", "-f", EXAMPLE],
            "error[jsonpath-invalid]: jsonpath {.a: unclosed action",
        ),
        (["get", "po", "-o", "custom-columns=A", "-f", EXAMPLE], "error[custom-columns-invalid]"),
        (
            ["get", "po", "--field-selector", "a=b", "-f", EXAMPLE],
            "field selector of Pod: no field a",
        ),
        (
            ["get", "po", "--sort-by", ".a.b", "-A", "-f", EXAMPLE],
            "jsonpath {.a.b}: no object",
        ),
        (["get", "pod/was", "svc", "-f", EXAMPLE], "'svc': beside TYPE/NAME, every argument is TYPE/NAME"),
        (["get", "po", "--now", "today", "-f", EXAMPLE], "'today' is no time such as"),
        (["tables", "T-99"], "'T-99' is not one of T-01, T-02, T-09, T-10"),
        (["bench", "scaling", "--services", "many"], "'many' is no list of sizes"),
    ],
)
def test_a_mistake_is_named(run: Run, arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.status == 2
    assert said in done.err
    assert done.out == ""


def test_a_command_that_is_nearly_right_comes_with_its_help(run: Run) -> None:
    assert "help: kdp get --help" in run("get", "svc", "--frm", "x").err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["get", "svcs", "-f", EXAMPLE], "kind-unknown"),
        (["get", "svc", "mysql", "-n", "blog-system", "-f", EXAMPLE], "no-such-object"),
        (["get", "svc", "-f", "nowhere.yaml"], "file-not-found"),
        (["rules", "--node", "node-3", "-f", EXAMPLE], "no-such-object"),
        (["trace", "pod/was", "mysql-service:3306", "-f", EXAMPLE], "no-such-object"),
    ],
)
def test_what_is_not_there_is_an_error(run: Run, arguments: list[str], code: str) -> None:
    done = run(*arguments)
    assert done.status == 1
    assert done.err.startswith(f"error[{code}]: ")
    assert done.out == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_command(run: Run, shell: str) -> None:
    done = run("completion", shell)
    assert done.status == 0
    assert "_KDP_COMPLETE" in done.out


def kdp(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kdp", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_completion_knows_the_commands() -> None:
    done = kdp(_KDP_COMPLETE="bash_complete", COMP_WORDS="kdp ge", COMP_CWORD="1")
    assert done.stdout.splitlines() == ["plain,get"]


def test_the_version_is_printed() -> None:
    assert kdp("--version").stdout.startswith("kdp 0.")
    assert "Kubernetes 1.30" in kdp("version").stdout


def test_help_takes_no_longer_than_150_milliseconds() -> None:
    """Processor time, the least of several: the machine has other work too."""
    taken = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert kdp("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    assert min(taken) < 0.150, f"{min(taken):.3f} to {max(taken):.3f} s"


def test_whoever_reads_may_stop_reading() -> None:
    """As with `kdp rules | head -1`."""
    reader = f"{sys.executable} -m kdp rules -f {EXAMPLE} | head -1"
    done = subprocess.run(["bash", "-c", reader], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def test_standard_input_is_a_file(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
    command = [sys.executable, "-m", "kdp", "get", "ns", "shop", "-o", "name", "-f", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout == "namespace/shop\n"
