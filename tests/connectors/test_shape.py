from decimal import Decimal

import orjson
import pytest

from connectors.errors import InvalidInput
from connectors.results import Text, ToolResult
from connectors.shape import shape


def test_a_plain_value_becomes_structured_content_and_the_same_as_compact_text():
    result = shape({"total": Decimal("12.50"), "rows": ({"a": 1},)})
    assert result.structured == {"total": 12.5, "rows": [{"a": 1}]}
    assert result.content == (Text('{"total":12.5,"rows":[{"a":1}]}'),)


def test_text_stays_text():
    assert shape("hello") == ToolResult(content=(Text("hello"),))


def test_a_long_list_is_cut_and_the_answer_says_so():
    result = shape({"items": [{"n": n, "x": "y" * 50} for n in range(1000)], "count": 1000}, limit=2_000)
    assert len(result.content[0].text) <= 2_000
    assert orjson.loads(result.content[0].text) == result.structured
    shown = len(result.structured["items"])
    assert 0 < shown < 1000
    assert result.structured["count"] == shown
    assert result.content[1].text.startswith(
        f"Truncated: {shown} of 1000 rows shown; call again with a smaller"
    )


def test_a_page_that_is_cut_says_that_its_cursor_leads_past_what_is_missing():
    page = {"items": [{"x": "y" * 50}] * 100, "count": 100, "next_cursor": "n", "total": 900}
    result = shape(page, limit=2_000)
    shown = result.structured["count"]
    assert shown == len(result.structured["items"]) < 100
    assert result.structured["total"] == 900
    assert f"repeat this call with limit {shown}." in result.content[1].text


def test_what_cannot_be_cut_is_a_clear_error():
    with pytest.raises(InvalidInput, match="longer than 100 characters"):
        shape({"text": "x" * 1000}, limit=100)
    with pytest.raises(InvalidInput):
        shape({"text": "x" * 1000, "items": [1, 2, 3]}, limit=100)


def test_a_given_result_keeps_its_content_and_meta():
    given = ToolResult(structured={"a": 1}, content=(Text("one"),), meta={"trust": "untrusted"})
    assert shape(given) == given
