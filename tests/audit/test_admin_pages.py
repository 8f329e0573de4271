import json

import pytest
from django.test import Client
from django.urls import reverse

from audit.events import Event, new_call_id
from audit.models import AuditEvent
from audit.services import record_blocking
from tests.factories import make_member, make_tenant, make_user

LIST = "admin:audit_auditevent_changelist"


def signed_in(tenant, role):
    client = Client()
    client.force_login(make_member(tenant, role).user)
    return client


@pytest.fixture
def call_id(tenant):
    call_id = new_call_id()
    for phase, outcome in (("attempt", "started"), ("done", "ok")):
        record_blocking(
            Event(tenant.pk, "call", name="create_goal", connection="goals", phase=phase, outcome=outcome,
                  call_id=call_id, arguments={"title": "<b>bold</b>"}, principal_name="Ada", duration_us=1500)
        )  # fmt: skip
    record_blocking(Event(tenant.pk, "call", name="lost_call", phase="attempt", outcome="started"))
    return call_id


def page(tenant, call_id):
    event = AuditEvent.objects.for_tenant(tenant).filter(call_id=call_id, phase="done").get()
    return reverse("admin:audit_auditevent_change", args=[event.pk])


def test_an_admin_finds_a_call_in_the_list_and_reads_it(tenant, call_id):
    client = signed_in(tenant, "admin")
    listed = client.get(reverse(LIST), {"q": "create_goal", "when": "hour", "outcome": "ok"})
    text = listed.content.decode()
    assert listed.status_code == 200
    assert text.count(page(tenant, call_id)) >= 1 and "lost_call" not in text
    shown = client.get(page(tenant, call_id)).content.decode()
    assert call_id in shown and "&lt;b&gt;bold" in shown and "attempt" in shown and "Ada" in shown
    lost = client.get(reverse(LIST), {"outcome": "unknown"}).content.decode()
    assert "lost_call" in lost and "create_goal" not in lost


def test_an_attempt_without_completion_says_that_its_outcome_is_unknown(tenant, call_id):
    lost = AuditEvent.objects.for_tenant(tenant).get(name="lost_call")
    shown = signed_in(tenant, "admin").get(reverse("admin:audit_auditevent_change", args=[lost.pk]))
    assert "Outcome unknown" in shown.content.decode()


def test_nobody_adds_changes_or_deletes(tenant, call_id):
    client = signed_in(tenant, "owner")
    event = AuditEvent.objects.for_tenant(tenant).get(name="lost_call")
    assert client.get(reverse("admin:audit_auditevent_add")).status_code in (403, 404)
    assert client.post(
        reverse("admin:audit_auditevent_delete", args=[event.pk]), {"post": "yes"}
    ).status_code in (403, 404)
    assert client.post(reverse("admin:audit_auditevent_change", args=[event.pk]), {}).status_code in (
        403,
        404,
    )
    assert AuditEvent.objects.for_tenant(tenant).filter(pk=event.pk).exists()


def test_other_tenants_and_lower_roles_see_nothing(tenant, call_id):
    for client in (signed_in(make_tenant(), "owner"), signed_in(tenant, "operator")):
        listed = client.get(reverse(LIST))
        assert listed.status_code in (403, 404) or "create_goal" not in listed.content.decode()
        assert client.get(page(tenant, call_id)).status_code in (403, 404)


def test_an_owner_exports_and_the_export_is_recorded(tenant, call_id):
    client = signed_in(tenant, "owner")
    links = client.get(reverse(LIST), {"when": "day"}).content.decode()
    url = reverse("admin:audit_auditevent_export", args=["jsonl"])
    assert f"{url}?when=day" in links
    answer = client.get(url, {"when": "day", "kind__exact": "call"})
    rows = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
    assert [row["name"] for row in rows] == ["create_goal", "create_goal", "lost_call"]
    assert "attachment" in answer["Content-Disposition"]
    assert AuditEvent.objects.for_tenant(tenant).filter(name="audit.export").exists()
    assert client.get(reverse("admin:audit_auditevent_export", args=["xml"])).status_code == 404
    assert signed_in(tenant, "admin").get(url).status_code == 403


async def test_an_export_streams_under_asgi_too(tenant, call_id):
    from django.test import AsyncClient

    from common.db import in_db

    client = AsyncClient()
    member = await in_db(make_member, tenant, "owner")
    await client.aforce_login(member.user)
    answer = await client.get(reverse("admin:audit_auditevent_export", args=["csv"]), {"kind__exact": "call"})
    assert answer.is_async
    data = b"".join([piece async for piece in answer.streaming_content])
    assert len(data.splitlines()) == 4


def test_a_superuser_reads_the_platforms_own_events():
    from django.db import transaction

    from audit.services import record_change
    from tests.factories import SYSTEM, unique

    name = unique("user")
    with transaction.atomic():
        record_change(tenant=None, actor=SYSTEM, name=name, before={}, after={"a": 1})
    client = Client()
    client.force_login(make_user(superuser=True))
    assert name in client.get(reverse(LIST)).content.decode()
