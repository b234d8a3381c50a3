"""Reads a JSONPath template: text, and actions in braces.

Source: client-go util/jsonpath/parser.go, 1.36; its oddities are part of the language (`[a,b]` is cut at commas before
anything is read, and a filter is split by a regular expression).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from kdp.errors import UsageError
from kdp.printers.jsonpath_nodes import (
    Field,
    Filter,
    Identifier,
    Literal,
    Node,
    Nodes,
    Recursive,
    Slice,
    Union,
    Wildcard,
)
from kdp.printers.quoted import unquote

__all__ = ["parse"]

END = ""
TERMINATORS = " \t\r\n.,[]$@{}"
DICT_KEY = re.compile(r"'([^']*)'")
SLICE = re.compile(r"(-?\d*)(:-?\d*)?(:-?\d*)?")
COMPARISON = re.compile(r"([^!<>=]+)([!<>=]+)(.+?)", re.DOTALL)


def parse(text: str) -> list[Node]:
    """Read a template as a list of texts and actions; raises ``jsonpath-invalid``."""
    try:
        return _Parser(text).template()
    except _TemplateError as fault:
        raise UsageError("jsonpath-invalid", f"jsonpath {text}: {fault}") from None


class _TemplateError(Exception):
    """What is wrong with a template."""


def _action(text: str) -> Nodes:
    """Read an action without its braces, as a part of another."""
    first = _Parser("{" + text + "}").template()[0]
    assert isinstance(first, Nodes), "a template that begins with a brace begins with an action"
    return first


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def template(self) -> list[Node]:
        nodes: list[Node] = []
        while self.at < len(self.text):
            brace = self.text.find("{", self.at)
            until = len(self.text) if brace < 0 else brace
            if until > self.at:
                nodes.append(Literal(self.text[self.at : until], is_text=True))
            self.at = until
            if brace >= 0:
                self.at += 1
                nodes.append(self.inside())
        return nodes

    def inside(self) -> Nodes:
        steps: list[Node] = []
        while not self._starts("}"):
            self.step(steps)
        self.at += 1
        return Nodes(steps)

    def step(self, steps: list[Node]) -> None:
        if self._starts("[?("):
            steps.append(self.filter())
            return
        if self._starts(".."):
            self.recursive(steps)
            return
        letter = self._next()
        if letter in ("", "\r", "\n"):
            raise _TemplateError("unclosed action")
        if letter in " @$":
            return
        readers: dict[str, Callable[[list[Node]], None]] = {
            "[": self.array,
            '"': self.quoted,
            "'": self.quoted,
            ".": self.field,
        }
        if letter in readers:
            readers[letter](steps)
        elif letter in "+-" or letter.isdigit():
            steps.append(self.number())
        elif letter == "_" or letter.isalpha():
            steps.append(self.word())
        else:
            raise _TemplateError(f"unrecognized character in action: U+{ord(letter):04X} {letter!r}")

    def word(self) -> Node:
        name = self.text[self.at - 1] + self._until_terminator()
        return Literal(name == "true") if name in ("true", "false") else Identifier(name)

    def recursive(self, steps: list[Node]) -> None:
        if steps and isinstance(steps[-1], Recursive):
            raise _TemplateError("invalid multiple recursive descent")
        self.at += 2
        steps.append(Recursive())
        letter = self.text[self.at : self.at + 1]
        if letter == "_" or letter.isalnum():
            self.field(steps)

    def number(self) -> Node:
        start = self.at - 1
        while self.text[self.at : self.at + 1].isdigit() or self._starts("."):
            self.at += 1
        digits = self.text[start : self.at]
        for kind in (int, float):
            try:
                return Literal(kind(digits))
            except ValueError:
                continue
        raise _TemplateError(f"cannot parse number {digits}")

    def field(self, steps: list[Node]) -> None:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in TERMINATORS:
            self.at += 2 if self.text[self.at] == "\\" else 1
        name = self.text[start : self.at]
        steps.append(Wildcard() if name == "*" else Field(name.replace("\\", "")))

    def quoted(self, steps: list[Node]) -> None:
        start = self.at - 1
        mark = self.text[start]
        while True:
            letter = self._next()
            if letter in ("", "\n"):
                raise _TemplateError("unterminated quoted string")
            if letter == mark and self.text[self.at - 2] != "\\":
                break
        whole = self.text[start : self.at]
        value = unquote(whole)
        if value is None:
            raise _TemplateError(f"unquote string {whole} error invalid syntax")
        steps.append(Literal(value, is_text=True))

    def array(self, steps: list[Node]) -> None:
        start = self.at
        while (letter := self._next()) != "]":
            if letter in ("", "\n"):
                raise _TemplateError("unterminated array")
        text = self.text[start : self.at - 1]
        parts = (":" if text == "*" else text).split(",")
        if len(parts) > 1:
            steps.append(Union([_action(f"[{part.strip(' ')}]") for part in parts]))
        elif key := DICT_KEY.fullmatch(text):
            steps.extend(_action(f".{key[1]}").steps)
        else:
            steps.append(_slice(parts[0]))

    def filter(self) -> Node:
        self.at += 3
        text = self._filter_text()
        if self._next() != "]":
            raise _TemplateError("unclosed array expect ]")
        compared = COMPARISON.fullmatch(text)
        if compared is None:
            return Filter(_action(text), Nodes(), "exists")
        return Filter(_action(compared[1]), _action(compared[3]), compared[2])

    def _filter_text(self) -> str:
        """Read up to the closing parenthesis. Quotes count once: what stands after a closed pair is not looked at."""
        start, mark, closed = self.at, "", False
        while True:
            letter = self._next()
            if letter in ("", "\n"):
                raise _TemplateError("unterminated filter")
            if letter in "\"'":
                if not mark:
                    mark = letter
                elif self.text[self.at - 2] != "\\" and letter == mark:
                    closed = True
            elif letter == ")" and bool(mark) == closed:
                return self.text[start : self.at - 1]

    def _until_terminator(self) -> str:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in TERMINATORS:
            self.at += 1
        return self.text[start : self.at]

    def _starts(self, text: str) -> bool:
        return self.text.startswith(text, self.at)

    def _next(self) -> str:
        letter = self.text[self.at : self.at + 1]
        self.at += len(letter)
        return letter


def _slice(text: str) -> Slice:
    found = SLICE.match(text)
    if found is None or found.end() != len(text):
        raise _TemplateError(f"invalid array index {text}")
    start, end, step = (_index(part) for part in found.groups())
    if found[2] is None:
        return Slice(start, (start or 0) + 1, step, derived=True)
    return Slice(start, end, step, derived=False)


def _index(text: str | None) -> int | None:
    digits = (text or "").removeprefix(":")
    if not digits:
        return None
    try:
        return int(digits)
    except ValueError:
        raise _TemplateError(f"array index {digits} is not a number") from None
