"""The forms of output of ``kdp get -o``, with kubectl's names."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from kdp.errors import LoadError, UnsupportedError

if TYPE_CHECKING:
    from kdp.objects import Manifest

__all__ = ["Output", "OutputOption", "as_one", "printer"]

PLAIN = ("wide", "json", "yaml", "name")
WITH_ARGUMENT = ("jsonpath", "jsonpath-file", "jsonpath-as-json", "custom-columns", "custom-columns-file")
GO_TEMPLATES = ("go-template", "go-template-file", "template", "templatefile")


class Output(NamedTuple):
    """A form of output, and what stands after its ``=``."""

    form: str
    argument: str = ""

    @property
    def is_table(self) -> bool:
        """Whether it is kubectl's own table."""
        return self.form in ("", "wide")

    @property
    def is_whole(self) -> bool:
        """Whether it prints one object or one List."""
        return not self.is_table and self.form != "name" and not self.form.startswith("custom-columns")


class OutputOption(click.ParamType[Output]):
    """``wide``, ``json``, ``jsonpath={.metadata.name}`` and so on."""

    name = "form"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Output:
        """Read the form."""
        if isinstance(value, Output):
            return value
        form, equals, argument = str(value).partition("=")
        if form in GO_TEMPLATES:
            raise UnsupportedError(
                "output-not-modelled",
                f"-o {form}: Go templates are not modelled; jsonpath= and custom-columns= are",
            )
        if form not in PLAIN + WITH_ARGUMENT:
            self.fail(
                f"{form!r} is no form of output; there are {', '.join(PLAIN + WITH_ARGUMENT)}", param, ctx
            )
        if form in PLAIN and equals:
            self.fail(f"{form} takes no argument", param, ctx)
        if form in WITH_ARGUMENT and not argument:
            self.fail(f"{form} needs an argument: {form}=...", param, ctx)
        return Output(form, argument)


def printer(output: Output, *, headers: bool) -> Callable[[Any], str]:
    """Give what writes one value (an object or a List), or a sequence of objects for ``custom-columns``."""
    if output.form == "json":
        return lambda value: json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False) + "\n"
    if output.form == "yaml":
        from kdp.manifest_yaml import to_yaml

        return to_yaml
    text = _file(output.argument) if output.form.endswith("-file") else output.argument
    if output.form.startswith("jsonpath"):
        from kdp.printers.jsonpath import JsonPath

        template = JsonPath(text)
        return template.json_text if output.form == "jsonpath-as-json" else template.text
    from kdp.printers.custom_columns import CustomColumns

    read = CustomColumns.from_template if output.form.endswith("-file") else CustomColumns.parse
    return read(text, headers=headers).text


def as_one(objects: Sequence[Manifest], *, alone: bool) -> Any:  # noqa: ANN401 -- an object as JSON
    """Give one object as it is, and others as a List."""
    if alone and objects:
        return objects[0]
    return {"apiVersion": "v1", "items": list(objects), "kind": "List", "metadata": {"resourceVersion": ""}}


def _file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LoadError("file-not-found", f"{path}: there is no such file or folder") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError("file-unreadable", f"{path}: cannot be read: {error}") from None
