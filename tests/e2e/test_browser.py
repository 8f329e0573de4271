"""A person with a real browser: from the first sign-in to a call found in the audit."""

import re
from typing import Any

import httpx2
import pytest

from tests.e2e.conftest import Running

pytestmark = pytest.mark.e2e

WIDTHS = (1440, 390)


class Visitor:
    """A browser page that remembers what went wrong on the way."""

    def __init__(self, browser: Any, portico: Running) -> None:
        self.portico = portico
        self.page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        self.page.set_default_timeout(20_000)
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("response", self._response)
        self.page.on("request", self._request)

    def _response(self, response: Any) -> None:
        if response.status >= 400 and "favicon" not in response.url:
            self.errors.append(f"{response.status} {response.url}")

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.portico.url, "data:")) and "favicon" not in request.url:
            self.foreign.append(request.url)

    def open(self, path: str = "") -> None:
        self.page.goto(self.portico.admin(path))

    def sign_in(self) -> None:
        self.open("login/")
        self.page.fill("[name=username]", self.portico.username)
        self.page.fill("[name=password]", self.portico.password)
        self.page.click("#login-form button[type=submit]")
        self.page.wait_for_selector("a:has-text('New tenant')")

    def text(self) -> str:
        return str(self.page.inner_text("#main"))


def test_a_person_sets_up_a_tenant_tries_a_tool_and_finds_the_call_in_the_audit(
    browser: Any, portico: Running
) -> None:
    visitor = Visitor(browser, portico)
    page = visitor.page
    visitor.sign_in()

    page.click("a:has-text('New tenant')")
    page.fill("[name=slug]", "atlas")
    page.fill("[name=name]", "Atlas Ltd")
    page.click("button[name=_save]")
    page.wait_for_selector("text=Next steps")
    mcp_url = page.inner_text("#ptc-mcp-url")
    assert mcp_url == f"{portico.url}/t/atlas/mcp"

    page.click("text=Connect a system")
    page.click("text=Goals broken down")
    page.click("button[name=_save]")
    page.click("#ptc-check")
    page.wait_for_selector(".ptc-dot.ok")

    page.goto(portico.admin("tenants/accesskey/add/"))
    page.fill("[name=name]", "browser key")
    page.fill("[name=account_name]", "robot")
    page.click("button[name=_save]")
    secret = page.inner_text("#ptc-secret")
    assert re.fullmatch(r"ptc_[0-9a-f]{12}_[\w-]{43}", secret)
    page.click("text=Claude Desktop")
    assert secret in page.inner_text("#ptc-text-1")
    page.click("text=I have copied it")
    assert secret not in page.content()

    # The key works where it is meant to be used.
    answer = httpx2.post(
        mcp_url,
        headers={"Authorization": f"Bearer {secret}", "Accept": "application/json, text/event-stream"},
        json={
            "jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18", "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        },
    )  # fmt: skip
    assert answer.status_code == 200, answer.text

    visitor.open("connectors/connection/")
    page.click("#result_list >> text=Goals")
    page.click("a[href$='/tools/']")
    page.click("a:has-text('Create a goal')")
    page.fill("[name=arg_description]", "Ship the atlas before spring")
    page.click("#ptc-run")
    page.wait_for_selector("#outcome")
    assert "GOAL-0001" in page.inner_text("#outcome")
    page.click("#ptc-event")
    detail = visitor.text()
    assert "create_goal" in detail
    assert "Ship the atlas before spring" in detail
    assert portico.username in detail

    visitor.open("audit/auditevent/")
    assert "create_goal" in visitor.text()
    visitor.open()
    assert page.locator(".ptc-chart rect.calls").count() == 1

    assert visitor.foreign == [], "the admin asks other hosts for nothing"
    assert visitor.errors == []


def test_no_page_scrolls_sideways_on_a_desk_or_a_phone(browser: Any, portico: Running) -> None:
    visitor = Visitor(browser, portico)
    page = visitor.page
    visitor.sign_in()
    seen: set[str] = set()
    waiting = [portico.admin()]
    switched = False
    while waiting and len(seen) < 30:
        target = waiting.pop(0)
        if target in seen:
            continue
        seen.add(target)
        page.goto(target)
        if not switched and page.locator("button[name=tenant]").count():
            page.locator("button[name=tenant]").first.click()  # into the tenant that the other test made
            page.wait_for_load_state()
            switched = True
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, f"{target} is {wide} pixels too wide at {width}"
        links = page.eval_on_selector_all("a[href]", "all => all.map(one => one.href)")
        for link in links:
            plain = link.split("#")[0]
            known = re.sub(r"[0-9a-f-]{36}|/\d+/", "*", plain)
            ours = plain.startswith(portico.admin()) and "export" not in plain and "?" not in plain
            if ours and not any(re.sub(r"[0-9a-f-]{36}|/\d+/", "*", s) == known for s in seen):
                waiting.append(plain)
    assert len(seen) > 10
    assert visitor.errors == []
