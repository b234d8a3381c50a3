r"""Regular expressions as Prometheus reads them: RE2's syntax, anchored at both ends, and Go's templates.

The pattern is read piece by piece and written again for Python's engine, so that what only one of the two reads
(look-around, back references, ``\\z``) is refused or translated, never guessed.
Source: github.com/google/re2 doc/syntax.txt; Go 1.26, regexp.Expand; Prometheus 3.14, model/relabel/relabel.go.
"""

from __future__ import annotations

import re
from functools import lru_cache

from kdp.errors import UnsupportedError

__all__ = ["BadPatternError", "anchored", "expand"]

REPEAT_MAX = 1000
REPEAT = re.compile(r"\{(\d+)(,(\d*))?\}")
GROUP = re.compile(
    r"\((\?(?:P?<(?P<name>[A-Za-z_]\w*)>|(?P<flags>[imsU]*(?:-[imsU]+)?)(?P<end>[:)])))?", re.ASCII
)
VARIABLE = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))")
# Classes by name. Source: RE2 syntax; they hold ASCII only.
CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": "\\x00-\\x7F",
    "blank": "\\t ",
    "cntrl": "\\x00-\\x1F\\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\t\\n\\v\\f\\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
ESCAPES = {"d": "0-9", "s": "\\t\\n\\f\\r ", "w": "0-9A-Za-z_"}
CONTROLS = {"a": "\\x07", "f": "\\f", "t": "\\t", "n": "\\n", "r": "\\r", "v": "\\v"}


class BadPatternError(ValueError):
    """A pattern that RE2 refuses."""


@lru_cache(maxsize=4096)
def anchored(pattern: str) -> re.Pattern[str]:
    """Compile a pattern for ``fullmatch``; a dot also matches a newline.

    Raises ``BadPatternError`` for what RE2 refuses and ``UnsupportedError`` for what Python cannot say.
    """
    try:
        return re.compile(f"(?s:{_Translation(pattern).text()})", re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadPatternError(f"{pattern!r}: {error}") from error


def expand(template: str, match: re.Match[str]) -> str:
    """Fill a template in: ``$1``, ``${1}``, ``$name``; the longest name counts, and an unknown one is empty."""

    def value(variable: re.Match[str]) -> str:
        name = variable[1] or variable[2]
        if name is None:
            return "$"
        if name.isdecimal():
            return match[int(name)] or "" if int(name) <= (match.re.groups) else ""
        return match[name] or "" if name in match.re.groupindex else ""

    return VARIABLE.sub(value, template)


class _Translation:
    """One pass over a pattern; ``at`` is the next character."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.repeated = False
        self.names: set[str] = set()
        # For each open group, how many groups of ours must close with it: `(?i)` at a start becomes `(?i:`.
        self.closers = [0]

    def text(self) -> str:
        pieces = []
        while self.at < len(self.pattern):
            pieces.append(self._piece())
        return "".join(pieces) + ")" * self.closers[0]

    def _piece(self) -> str:
        character = self.pattern[self.at]
        if character in "*+?" or (character == "{" and REPEAT.match(self.pattern, self.at)):
            return self._repetition()
        self.repeated = False
        if character == "\\":
            return self._escape()
        if character == "[":
            return self._class()
        if character == "(":
            return self._group()
        self.at += 1
        if character == ")":
            return ")" * (1 + (self.closers.pop() if len(self.closers) > 1 else 0))
        # A `$` of Python also matches before a newline at the end; a lone brace is an ordinary character.
        return {"$": "(?:\\Z)", "^": "(?:\\A)", "{": "\\{", "}": "\\}"}.get(character, character)

    def _repetition(self) -> str:
        if self.repeated:
            raise BadPatternError(f"{self.pattern!r}: invalid nested repetition operator")
        self.repeated = True
        found = REPEAT.match(self.pattern, self.at)
        text = found[0] if found else self.pattern[self.at]
        if found and max(int(found[1]), int(found[3] or 0)) > REPEAT_MAX:
            raise BadPatternError(f"{self.pattern!r}: invalid repeat count {text}")
        self.at += len(text)
        if self.pattern.startswith("?", self.at):
            self.at += 1
            text += "?"
        return text

    def _group(self) -> str:
        found = GROUP.match(self.pattern, self.at)
        assert found is not None, "the pattern has a parenthesis here"
        starts = self.at == 0 or self.pattern[self.at - 1] in "(:"
        self.at = found.end()
        if found["end"] == ")":
            self.closers[-1] += 1
        else:
            self.closers.append(0)
        if found["name"]:
            return self._named(found)
        if self.pattern.startswith("?", self.at):
            raise BadPatternError(f"{self.pattern!r}: invalid or unsupported Perl syntax")
        if found["end"] is None:
            return "("
        flags = found["flags"] or ""
        if "U" in flags or "m" in flags or (found["end"] == ")" and (not starts or not flags)):
            raise _unsupported(self.pattern, found[0])
        return f"(?{flags}:"

    def _named(self, found: re.Match[str]) -> str:
        if found["name"] in self.names:
            raise _unsupported(self.pattern, found[0])
        self.names.add(found["name"])
        return f"(?P<{found['name']}>"

    def _escape(self) -> str:
        following = self.pattern[self.at + 1 : self.at + 2]
        if following == "Q":
            end = self.pattern.find("\\E", self.at)
            quoted = self.pattern[self.at + 2 : end if end >= 0 else None]
            self.at = end + 2 if end >= 0 else len(self.pattern)
            return re.escape(quoted)
        if following in ("A", "z", "b", "B"):
            self.at += 2
            return f"(?:\\{'Z' if following == 'z' else following})"
        if following and following in "DSW":
            self.at += 2
            return f"[^{ESCAPES[following.lower()]}]"
        inside = self._escaped_character()
        return f"[{inside}]" if following in ESCAPES else inside

    def _escaped_character(self) -> str:
        """Read an escape that stands for characters, in a class or outside."""
        following = self.pattern[self.at + 1 : self.at + 2]
        if following in ESCAPES or following in CONTROLS:
            self.at += 2
            return (ESCAPES | CONTROLS)[following]
        if following in ("p", "P"):
            raise _unsupported(self.pattern, f"\\{following}")
        code = re.compile(
            r"\\(?:x([0-9A-Fa-f]{2})|x\{([0-9A-Fa-f]{1,6})\}|(0[0-7]{0,2}|[1-7][0-7]{1,2}))"
        ).match(self.pattern, self.at)
        if code:
            self.at = code.end()
            number = int(code[3], 8) if code[3] else int(code[1] or code[2], 16)
            return f"\\U{number:08x}"
        if not following or following.isalnum() or following > "\x7f":
            raise BadPatternError(f"{self.pattern!r}: invalid escape sequence \\{following}")
        self.at += 2
        return f"\\{following}"

    def _class(self) -> str:
        self.at += 1
        negated = self.pattern.startswith("^", self.at)
        self.at += negated
        members: list[str] = []
        while not (members and self.pattern.startswith("]", self.at)):
            if self.at >= len(self.pattern):
                raise BadPatternError(f"{self.pattern!r}: missing closing ]")
            members.append(self._member())
        self.at += 1
        return f"[{'^' if negated else ''}{''.join(members)}]"

    def _member(self) -> str:
        named = re.compile(r"\[:(\^?)(\w+):\]").match(self.pattern, self.at)
        if named:
            if named[2] not in CLASSES:
                raise BadPatternError(f"{self.pattern!r}: invalid character class range {named[0]}")
            if named[1]:
                raise _unsupported(self.pattern, named[0])
            self.at = named.end()
            return CLASSES[named[2]]
        character = self.pattern[self.at]
        if character == "\\":
            if self.pattern[self.at + 1 : self.at + 2] in ("D", "S", "W"):
                self.at += 2
                return self.pattern[self.at - 2 : self.at]
            return self._escaped_character()
        self.at += 1
        # Python reserves `[`, `&&`, `||`, `~~` inside a class for later.
        return f"\\{character}" if character in "[]&|~" else character


def _unsupported(pattern: str, part: str) -> UnsupportedError:
    return UnsupportedError("case-not-modelled", f"regular expression {pattern!r}: {part!r} is not modelled")
