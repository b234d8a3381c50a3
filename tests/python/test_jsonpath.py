"""JSONPath templates: what does not parse, what does not fit, and the corners of the language."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kdp.errors import UsageError
from kdp.printers.go_text import go_text
from kdp.printers.jsonpath import JsonPath
from kdp.printers.sorting import sort_by

DATA: dict[str, Any] = {
    "a": [1, 2, 3],
    "b": {"c d": 1, "e.f": 2, "<&>": True},
    "n": None,
    "x": [{"k": "one", "v": 1}, {"k": "two", "v": 2}, {"k": "th'ree"}],
    "f": 0.25,
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("{.n}", "null"),
        ("{.a}", "[1,2,3]"),
        ("{.b}", '{"\\u003c\\u0026\\u003e":true,"c d":1,"e.f":2}'),
        ("{.b['e\\.f']}{.b.e\\.f}", "22"),
        ("{.f} {.a[1]}", "0.25 2"),
        ("{.a[*]} {.a[-1]} {.a[0,2]} {.a[1:]} {.a[:1]}", "1 2 3 3 1 3 2 3 1"),
        ("{.a[1:1]}{.missing[3].b}", ""),
        ("{.x[?(@.v>1)].k}", "two"),
        ("{.x[?(@.v)].k}", "one two"),
        ("""{.x[?(@.k=="th'ree")].k}""", "th'ree"),
        ("{range .x[*]}{.k},{end}{.f}", "one,two,th'ree,0.25"),
        ("{range .x[*]}{.k}", "onetwoth'ree"),
        (r'{"a\tb\n\u00e4"}', "a\tb\nä"),
        ("{.x[0]['k','v']}", "one 1"),
        ("{$.a[0]}{@.a[1]}", "12"),
    ],
)
def test_what_a_template_gives(template: str, text: str) -> None:
    assert JsonPath(template).text(DATA) == text


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("{.a", "unclosed action"),
        ("{.a[0}", "unterminated array"),
        ("{.a[x]}", "invalid array index x"),
        ("{.x[?(@.v>1]}", "unterminated filter"),
        ("{.x[?(@.v>1)}", "unclosed array expect ]"),
        ('{"a}', "unterminated quoted string"),
        ("{%}", "unrecognized character in action: U+0025 '%'"),
        ("{....}", "invalid multiple recursive descent"),
        ("{1.2.3}", "cannot parse number 1.2.3"),
        ("{.a[9]}", "array index out of bounds: index 9, length 3"),
        ("{.f[0]}", "float64 is not array or slice"),
        ("{end}", "not in range, nothing to end"),
        ("{what}", "unrecognized identifier what"),
        ('{.x[?(@.v=="1")]}', "incompatible types for comparison"),
    ],
)
def test_what_is_wrong_is_named(template: str, fault: str) -> None:
    with pytest.raises(UsageError) as error:
        JsonPath(template).text(DATA)
    assert error.value.code == "jsonpath-invalid"
    assert fault in error.value.message


@given(st.text(alphabet="{}[]().*?@$'\"=<>!,:-01ab \\\n", max_size=30))
def test_no_template_does_more_than_fail_by_name(template: str) -> None:
    try:
        JsonPath(template).text(DATA)
    except UsageError as error:
        assert error.code == "jsonpath-invalid"  # noqa: PT017 -- one of two good ends


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_written_so_that_it_is_read_back(number: float) -> None:
    assert float(go_text(number)) == number


@given(st.lists(st.one_of(st.none(), st.integers(-3, 3)), max_size=40))
def test_sorting_puts_what_lacks_the_field_first_and_keeps_every_object(numbers: list[int | None]) -> None:
    objects = [{"at": at, **({} if number is None else {"n": number})} for at, number in enumerate(numbers)]
    if not any(number is not None for number in numbers):
        return
    found = sort_by(objects, ".n")
    assert [each.get("n", -9) for each in found] == sorted(-9 if each is None else each for each in numbers)
    assert sorted(json.dumps(each) for each in found) == sorted(json.dumps(each) for each in objects)


@pytest.mark.parametrize(
    ("given_texts", "ordered"),
    [(["1Gi", "500Mi", "1500M"], ["500Mi", "1Gi", "1500M"]), (["b", "10", "a"], ["10", "a", "b"])],
)
def test_quantities_sort_by_their_size(given_texts: list[str], ordered: list[str]) -> None:
    assert [each["q"] for each in sort_by([{"q": text} for text in given_texts], "q")] == ordered
