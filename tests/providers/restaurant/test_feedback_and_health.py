import re
import time
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.base import CallLimit
from connectors.errors import NotFound
from connectors.providers.restaurant import feedback
from connectors.providers.restaurant.connector import Restaurant
from connectors.providers.restaurant.dates import today
from tests.providers.context import FakeContext
from tests.providers.restaurant.calls import call, refuses


@pytest.mark.parametrize(
    ("text", "rating", "sentiment", "topic"),
    [
        ("The tiramisu was delicious and perfectly cooked.", 5, "positive", "food"),
        ("Our waiter was rude and the bill was wrong.", 1, "negative", "service"),
        ("We waited almost an hour.", 2, "negative", "speed"),
        ("Nice place, although the music was too loud.", 3, "mixed", "atmosphere"),
        ("We came on a Tuesday.", 3, "neutral", None),
        ("The food was not good.", 2, "negative", "food"),
    ],
)
def test_a_feedback_is_read_for_its_sentiment_and_topics(text, rating, sentiment, topic):
    reading = feedback.read(text, rating)
    assert reading.sentiment == sentiment
    assert -1 <= reading.score <= 1
    assert topic is None or topic in reading.topics


async def test_a_bad_feedback_is_answered_with_suggestions(bistro):
    rows = await call(bistro, "list_feedback", max_rating=1, limit=5)
    assert rows["items"]
    for row in rows["items"]:
        answer = await call(bistro, "analyze_customer_feedback", feedback_id=row["feedback_id"])
        assert answer["sentiment"] == "negative"
        assert answer["suggestions"]
        short = await call(
            bistro, "analyze_customer_feedback", feedback_id=row["feedback_id"], include_suggestions=False
        )
        assert "suggestions" not in short


async def test_the_sentiment_follows_the_stars_over_the_year(bistro):
    scores = {}
    for low, high in ((1, 2), (4, 5)):
        rows = await call(bistro, "list_feedback", max_rating=high, limit=100)
        chosen = [row for row in rows["items"] if row["rating"] >= low]
        readings = [feedback.read(row["text"], row["rating"]).score for row in chosen]
        scores[high] = sum(readings) / len(readings)
    assert scores[2] < 0 < scores[5]


async def test_feedback_can_be_narrowed(bistro):
    since = (today(bistro.connection) - timedelta(days=30)).isoformat()
    rows = await call(bistro, "list_feedback", since=since, location="old-town", limit=100)
    assert rows["items"]
    assert all(row["date"] >= since and row["location"] == "old-town" for row in rows["items"])


async def test_an_unknown_feedback_is_not_found(bistro):
    with pytest.raises(NotFound):
        await call(bistro, "analyze_customer_feedback", feedback_id="NOSUCH99")
    assert refuses("analyze_customer_feedback", feedback_id="no such")


async def test_health_names_server_database_and_cache(bistro):
    answer = await call(bistro, "health_check")
    assert answer["status"] == "healthy"
    assert answer["checks"] == {"server": "ok", "database": "ok", "cache": "ok"}
    assert answer["timestamp"].startswith(today(bistro.connection).isoformat()[:4])


async def test_the_expensive_operation_is_limited_and_tells_its_progress(bistro):
    assert Restaurant.tools["expensive_operation"].limit == CallLimit(5, 300)
    ctx = FakeContext(bistro.row)
    started = time.process_time()
    first = await call(ctx, "expensive_operation", data="x")
    assert time.process_time() > started
    assert set(first) == {"result"}
    assert first == await call(ctx, "expensive_operation", data="x")
    assert first != await call(ctx, "expensive_operation", data="y")
    assert len(ctx.progressed) == 30


def test_every_required_tool_is_there_with_its_hint():
    required = {name: spec.hint for name, spec in Restaurant.tools.items() if spec.required}
    assert required == {
        "get_sales_data": "R",
        "update_inventory": "I",
        "update_menu_item": "I",
        "process_order": "W",
        "get_analytics": "R",
        "generate_report": "R",
        "analyze_customer_feedback": "R",
        "health_check": "R",
        "expensive_operation": "R",
    }
    further = {
        "list_menu_items",
        "list_orders",
        "get_order",
        "update_order_status",
        "list_inventory",
        "list_feedback",
    }
    assert set(Restaurant.tools) == set(required) | further
    assert all(
        spec.default_on and spec.title and len(spec.description) > 40 for spec in Restaurant.tools.values()
    )
    assert not any(spec.hints.open_world for spec in Restaurant.tools.values())
    for spec in Restaurant.tools.values():
        if spec.name != "update_order_status":
            assert spec.output_schema is not None


def test_the_docs_page_names_every_tool_and_resource():
    page = (Path(__file__).parents[3] / "docs" / "connectors" / "restaurant.md").read_text()
    described = set(re.findall(r"^\| `(\w+)` \| (?:reads|write)", page, re.MULTILINE))
    assert described == set(Restaurant.tools)
    assert f"{len(Restaurant.tools)} tools" in page
    assert all(f"`{spec.uri}`" in page for spec in Restaurant.resources)
