import json

import pytest
from hypothesis import given
from hypothesis import settings as fuzz
from hypothesis import strategies as st

from common.strict_json import StrictJSONError, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet=st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)  # fmt: skip


@fuzz(max_examples=150, deadline=None)
@given(VALUES, st.booleans())
def test_what_is_strict_is_read_as_it_was_written(value, escaped):
    assert loads(json.dumps(value, ensure_ascii=escaped).encode()) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"a":1,"a":1}', "twice"),
        (b'{"a":{"b":1,"c":2,"b":3}}', "twice"),
        (b'{"a":1,"\\u0061":2}', "twice"),
        (b"[NaN]", "NaN"),
        (b"[-Infinity]", "Infinity"),
        (b"[1e999]", "too large"),
        (b"18446744073709551616", "64 bits"),
        (b"-9223372036854775809", "64 bits"),
        (b"1" * 100_000, "64 bits"),
        (b'["\\ud800"]', "surrogate"),
        (b'{"\\uDFFF":1}', "surrogate"),
        (b"\xff", "UTF-8"),
        (b"\xed\xa0\x80", "UTF-8"),
        (b'{"a":1} {"b":2}', "Extra data"),
        (b"\xef\xbb\xbf{}", "line 1"),
        (b"", "line 1"),
        (b"[1,]", "line 1"),
        (b"['a']", "line 1"),
        (b"[01]", "line 1"),
        (b'["\n"]', "control character"),
        (b"[" * 65 + b"]" * 65, "64 levels"),
        (b"[" * 100_000, "64 levels"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(text, said):
    with pytest.raises(StrictJSONError, match=said) as caught:
        loads(text)
    assert len(str(caught.value)) < 120


def test_the_limits_themselves_are_allowed():
    assert loads(b"[18446744073709551615,-9223372036854775808]") == [2**64 - 1, -(2**63)]
    assert loads(b"[" * 64 + b"]" * 64)
    assert loads(b'["' + b"[{" * 100 + b'"]') == ["[{" * 100]
    assert loads(b'["\\ud83d\\ude00","\\u0000"]') == ["\U0001f600", "\x00"]
    assert loads(b"[" + b"[]," * 200 + b"1]")[-1] == 1
