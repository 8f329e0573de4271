import io
import json
from datetime import timedelta

import openpyxl
import pypdf
import pytest

from connectors.errors import InvalidInput, NotFound
from connectors.providers.restaurant.dates import today
from connectors.results import ResourceLink, Text
from tests.providers.context import FakeContext
from tests.providers.restaurant.calls import call, raw, refuses


def a_year(ctx):
    last = today(ctx.connection)
    return {"start_date": (last - timedelta(days=364)).isoformat(), "end_date": last.isoformat()}


def file_of(ctx, result):
    link = next(part for part in result.content if isinstance(part, ResourceLink))
    return link, ctx.files[link.uri]


@pytest.mark.parametrize("report_type", ["sales", "inventory", "customer"])
async def test_a_pdf_report_can_be_opened_and_read(bistro, report_type):
    result = await raw(bistro, "generate_report", report_type=report_type, format="pdf", **a_year(bistro))
    link, data = file_of(bistro, result)
    answer = result.structured
    assert answer["report_type"] == report_type
    assert answer["period"] == a_year(bistro)
    assert answer["download_url"].startswith("http://portico.test/t/")
    assert (link.mime_type, link.size) == ("application/pdf", len(data))
    document = pypdf.PdfReader(io.BytesIO(data))
    text = "\n".join(page.extract_text() for page in document.pages)
    assert f"{report_type.title()} report" in text
    assert "EUR" in text
    if report_type == "sales":
        assert f"{answer['summary']['total_sales']:,.2f}" in text
        assert len(document.pages) > 5


async def test_an_excel_report_can_be_opened_and_adds_up(bistro):
    result = await raw(bistro, "generate_report", report_type="sales", format="excel", **a_year(bistro))
    link, data = file_of(bistro, result)
    assert link.name.endswith(".xlsx")
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert book.sheetnames == ["Summary", "Months", "Locations", "Items", "Days"]
    total = result.structured["summary"]["total_sales"]
    for name, column in (("Months", 1), ("Locations", 1), ("Days", 1)):
        rows = list(book[name].iter_rows(min_row=2, values_only=True))
        assert sum(row[column] for row in rows) == pytest.approx(total)
    assert book["Days"].freeze_panes == "A2"


async def test_a_json_report_holds_the_same_figures(bistro):
    result = await raw(bistro, "generate_report", report_type="customer", format="json", **a_year(bistro))
    _link, data = file_of(bistro, result)
    document = json.loads(data)
    assert document["summary"] == result.structured["summary"]
    assert document["summary"]["customers"] > 100
    assert len(document["tables"]["Best customers"]) == 50
    text = next(part for part in result.content if isinstance(part, Text))
    assert json.loads(text.text) == result.structured


async def test_a_long_report_tells_its_progress(bistro):
    ctx = FakeContext(bistro.row)
    await call(ctx, "generate_report", report_type="sales", format="json", **a_year(ctx))
    done = [step[0] for step in ctx.progressed]
    total = ctx.progressed[0][1]
    assert done == list(range(1, int(total) + 1))
    assert total >= 14
    assert all(step[2] for step in ctx.progressed)


async def test_a_cancelled_report_stops_and_saves_nothing(bistro):
    import asyncio

    ctx = FakeContext(bistro.row, cancelled=True)
    with pytest.raises(asyncio.CancelledError):
        await call(ctx, "generate_report", report_type="sales", **a_year(ctx))
    assert len(ctx.progressed) == 1
    assert not ctx.files


async def test_filters_narrow_a_report(bistro):
    days = a_year(bistro)
    whole = await call(bistro, "generate_report", report_type="sales", format="json", **days)
    parts = [
        await call(
            bistro, "generate_report", report_type="sales", format="json", filters={"location": name}, **days
        )
        for name in ("old-town", "riverside", "station")
    ]
    sums = [part["summary"]["total_sales"] for part in parts]
    assert sum(sums) == pytest.approx(whole["summary"]["total_sales"])
    drinks = await call(
        bistro, "generate_report", report_type="sales", format="json", filters={"category": "drinks"}, **days
    )
    assert 0 < drinks["summary"]["total_sales"] < whole["summary"]["total_sales"]


async def test_a_report_of_days_without_sales_is_a_file_all_the_same(bistro):
    days = {"start_date": "1999-01-01", "end_date": "1999-01-31"}
    for report_type in ("sales", "inventory", "customer"):
        for form in ("pdf", "excel", "json"):
            result = await raw(bistro, "generate_report", report_type=report_type, format=form, **days)
            assert file_of(bistro, result)[1]


async def test_names_cannot_break_out_of_a_report(fresh):
    ctx = fresh(days=3)
    for code, name in (("MARGHE01", "=1+1"), ("BURGER01", "<b>&bold"), ("ESPRES01", "Кофе 咖啡")):
        await call(ctx, "update_menu_item", item_id=code, updates={"name": name})
    last = today(ctx.connection)
    days = {"start_date": (last - timedelta(days=2)).isoformat(), "end_date": last.isoformat()}
    result = await raw(ctx, "generate_report", report_type="inventory", format="excel", **days)
    sheet = openpyxl.load_workbook(io.BytesIO(file_of(ctx, result)[1])).worksheets[1]
    cells = {row[0].value: row[1] for row in sheet.iter_rows(min_row=2)}
    assert (cells["MARGHE01"].value, cells["MARGHE01"].data_type) == ("=1+1", "s")
    assert cells["ESPRES01"].value == "Кофе 咖啡"
    result = await raw(ctx, "generate_report", report_type="inventory", format="pdf", **days)
    text = pypdf.PdfReader(io.BytesIO(file_of(ctx, result)[1])).pages[0].extract_text()
    assert "<b>&bold" in text


async def test_bad_report_arguments_are_refused(bistro):
    days = a_year(bistro)
    with pytest.raises(InvalidInput, match="after"):
        await call(
            bistro, "generate_report", report_type="sales", start_date=days["end_date"], end_date="2001-01-01"
        )
    with pytest.raises(NotFound):
        await call(bistro, "generate_report", report_type="sales", filters={"location": "moon"}, **days)
    assert refuses("generate_report", report_type="taxes", **days)
    assert refuses("generate_report", report_type="sales", format="docx", **days)
    assert refuses("generate_report", report_type="sales", filters={"waiter": "x"}, **days)
