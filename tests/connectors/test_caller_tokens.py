import json
import logging
import os
from dataclasses import replace

import pytest
from django.conf import settings
from pydantic import BaseModel, SecretStr

from audit.models import AuditEvent
from common.db import in_db
from connectors.base import Connector
from connectors.call_info import CallInfo
from connectors.models import Connection
from connectors.pipeline import call_tool
from connectors.reading import complete, get_prompt, list_resources, read_resource
from connectors.services import connection_create, connection_update
from connectors.snapshot import load
from connectors.tokens import token_for, token_names
from tests.factories import SYSTEM, make_caller, make_connection, make_tenant

VENDOR = "vendor=tests.connectors.token_tools:Vendor"
if VENDOR not in settings.PORTICO_CONNECTORS:
    settings.PORTICO_CONNECTORS.append(VENDOR)

STORED = "stored-secret-AAAA"


def brought(**tokens: str) -> CallInfo:
    return CallInfo("r1", tokens={name.replace("_", "-"): SecretStr(value) for name, value in tokens.items()})


@pytest.fixture
def tenant():
    tenant = make_tenant()
    make_connection(
        tenant, "vendor", slug="first", credential={"user": "u", "api_token": STORED}, caller_token=True
    )
    make_connection(tenant, "vendor", slug="second", credential_mode="none", caller_token=True)
    make_connection(tenant, "vendor", slug="closed", credential={"user": "u", "api_token": STORED})
    return tenant


@pytest.fixture
def caller(tenant):
    return make_caller(tenant)


async def used(caller, name, info):
    result = await call_tool(caller, name, {}, info=info)
    assert not result.is_error, result.content
    return result.structured["used"]


async def test_a_token_stands_before_the_stored_credential_for_one_call(caller):
    assert await used(caller, "vendor_who", brought(first="token-of-BBBB")) == "BBBB"
    assert await used(caller, "vendor_who", CallInfo()) == "AAAA"


async def test_a_connectors_name_means_its_first_connection(caller):
    info = brought(vendor="token-of-BBBB")
    assert await used(caller, "vendor_who", info) == "BBBB"
    assert await used(caller, "vendor_who", brought(vendor="token-of-BBBB", first="token-of-CCCC")) == "CCCC"
    refused = await call_tool(caller, "second__vendor_who", {}, info=info)
    assert refused.is_error, "the second must not get what was meant for the first"


async def test_a_connection_may_have_no_credential_of_its_own(caller):
    assert await used(caller, "second__vendor_who", brought(second="token-of-BBBB")) == "BBBB"
    refused = json.loads((await call_tool(caller, "second__vendor_who", {})).content[0].text)
    assert refused["code"] == "token_required"
    assert "X-Second-Token" in refused["hint"]


async def test_a_token_for_a_connection_that_takes_none_is_ignored(caller):
    assert await used(caller, "closed__vendor_who", brought(closed="token-of-BBBB")) == "AAAA"


async def test_two_callers_tokens_stay_apart(tenant, caller):
    other = await in_db(make_caller, tenant)
    assert await used(caller, "vendor_who", brought(first="token-of-BBBB")) == "BBBB"
    assert await used(other, "vendor_who", brought(first="token-of-CCCC")) == "CCCC"
    assert await used(other, "vendor_who", CallInfo()) == "AAAA"


async def test_resources_prompts_and_completion_use_it_too(caller):
    info = brought(first="token-of-BBBB")
    assert (await read_resource(caller, "vendor://who", info=info))[0].text == "BBBB"
    assert (await get_prompt(caller, "vendor-who", {}, info=info))[1][0].content.text == "used BBBB"
    assert await complete(caller, "prompt", "vendor-who", "word", "", {}, info=info) == ["BBBB"]
    assert await list_resources(caller, info=info)


@pytest.mark.parametrize("how", ["said", "crash"])
async def test_no_error_log_or_record_has_the_token(tenant, caller, caplog, how):
    planted = f"planted-{os.urandom(8).hex()}-BBBB"
    info = brought(first=planted)
    with caplog.at_level(logging.DEBUG):
        result = await call_tool(caller, "vendor_fail", {"how": how}, info=info)
        await call_tool(caller, "vendor_who", {"nothing": 1}, info=info)
    assert result.is_error and planted not in str(result)
    assert planted not in caplog.text and planted not in repr(info) and planted not in str(info)
    rows = await in_db(lambda: [str(row.__dict__) for row in AuditEvent.objects.for_tenant(tenant)])
    assert len(rows) > 2 and planted not in "".join(rows)


def test_what_a_connection_takes_is_set_and_audited(tenant):
    row = Connection.objects.for_tenant(tenant).get(slug="closed")
    version = row.version
    row = connection_update(row, caller_token=True, actor=SYSTEM)
    assert row.caller_token and row.version == version + 1
    event = AuditEvent.objects.for_tenant(tenant).filter(name="connection.update closed").latest("seq")
    assert "caller_token" in event.arguments
    assert load(tenant.pk).connection("closed").token_names == ("closed",)


def test_no_name_ever_means_two_connections():
    slugs = {"jira", "work", "confluence2", "wiki"}
    assert token_names("jira", "jira", True, {"jira"}) == ("jira", "atlassian")
    assert token_names("wiki", "confluence", True, slugs) == ("wiki", "confluence", "atlassian")
    assert token_names("work", "jira", True, slugs) == ("work", "atlassian"), "jira is another's slug"
    assert token_names("work", "jira", False, slugs) == ("work",)
    assert token_names("atlassian", "memory", True, {"atlassian"}) == ("atlassian", "memory")
    assert token_names("work", "jira", True, {"work", "atlassian"}) == ("work", "jira")
    assert token_names("drive", "google_drive", True, {"drive"}) == ("drive", "google-drive")


def test_a_view_without_the_switch_takes_nothing(tenant):
    closed = load(tenant.pk).connection("closed")
    assert token_for(closed, {"closed": SecretStr("x"), "vendor": SecretStr("x")}) is None
    assert token_for(replace(closed, token_names=("closed",)), None) is None


@pytest.mark.parametrize("field", ["token", "api_token", "access_token", "key"])
def test_a_bare_token_fills_the_field_that_is_meant(field):
    credentials = type("C", (BaseModel,), {"__annotations__": {"user": str, field: SecretStr}})
    made = type(
        "Made", (Connector,), {"slug": "made", "title": "M", "description": "M", "Credentials": credentials}
    )
    assert made.token_credential("x") == {field: "x"}


def test_a_connection_made_with_the_switch_keeps_it():
    tenant = make_tenant()
    row = connection_create(tenant=tenant, connector="vendor", slug="first", caller_token=True, actor=SYSTEM)
    assert Connection.objects.for_tenant(tenant).get(pk=row.pk).caller_token
