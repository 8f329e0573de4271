"""Kept results over the endpoint, the API and the admin."""

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from audit.models import AuditEvent
from common.db import in_db
from connectors.services import cache_stats
from connectors.upstream.client import close_all
from tests.factories import make_connection, make_key, make_member, make_tenant, make_user
from tests.mcp_endpoint.speak import by_door, by_view, make_place, modern
from tests.upstream.kept import TOKEN, Place, numbered


@pytest.fixture
async def place(double):
    double.script = [numbered(n) for n in range(100)]
    yield await in_db(Place, double.url)
    await close_all()


def api(secret):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def clear(secret, **body):
    return api(secret).post("/api/v1/cache/clear", body, format="json")


@pytest.mark.parametrize("send", [by_door, by_view])
async def test_a_client_sees_whether_a_result_was_kept(double, send):
    def furnish():
        found = make_place("operator", ())
        make_connection(found.tenant, "kept", settings={"url": double.url}, credential={"token": TOKEN})
        return found

    place = await in_db(furnish)
    call = modern(place, "tools/call", {"name": "kept_item", "arguments": {"number": 1}})
    metas = [(await send(call)).result["_meta"] for _ in range(2)]
    assert [meta["cache"] for meta in metas] == ["miss", "hit"]
    assert metas[1]["age_s"] >= 0
    await close_all()


async def test_an_admin_clears_over_the_api_and_nobody_else_does(place):
    for number in range(3):
        await place.call("kept_item", number=number)

    def ask():
        admin, viewer = make_key(place.tenant, role="admin")[1], make_key(place.tenant, role="viewer")[1]
        stranger = make_key(make_tenant(), role="owner")[1]
        slug = place.tenant.slug
        assert clear(viewer, tenant=slug).status_code == 403
        assert clear(stranger, tenant=slug).status_code == 404
        assert clear(admin, tenant=slug, connection="nothing").status_code == 404
        assert clear(admin, tenant=slug, all=True).status_code == 400
        assert clear(admin).status_code == 400
        assert cache_stats(place.tenant.pk)["entries"] == 3
        found = clear(admin, tenant=slug, connection="kept")
        assert (found.status_code, found.json()) == (200, {"forgotten": 3})
        assert clear(admin, tenant=slug).json() == {"forgotten": 0}
        root = APIClient()
        root.force_login(make_user(superuser=True))
        assert root.post("/api/v1/cache/clear", {"tenant": slug}, format="json").status_code == 200

    await in_db(ask)
    assert (await place.call("kept_item", number=1)).cache == "miss"


async def test_an_admin_clears_on_the_connections_pages(place):
    await place.call("kept_item", number=1)

    def ask():
        owner = make_member(place.tenant, "admin")
        client = Client()
        client.force_login(owner.user)
        changelist = reverse("admin:connectors_connection_changelist")
        page = reverse("admin:connectors_connection_change", args=[place.row.pk])
        one = reverse("admin:connectors_connection_forget", args=[place.row.pk])
        everything = reverse("admin:connectors_connection_forget_all")
        assert "1 kept" in client.get(changelist).content.decode()
        assert one in client.get(page).content.decode()
        assert client.get(one).status_code == 403 and client.get(everything).status_code == 403
        assert "1 kept result is forgotten" in client.post(one, follow=True).content.decode()
        assert "0 kept results are forgotten" in client.post(everything, follow=True).content.decode()
        viewer = Client()
        viewer.force_login(make_member(place.tenant, "viewer").user)
        assert viewer.post(one).status_code == 403 and viewer.post(everything).status_code == 403
        names = AuditEvent.objects.for_tenant(place.tenant).filter(name__startswith="cache.clear")
        assert names.count() == 2

    await in_db(ask)
