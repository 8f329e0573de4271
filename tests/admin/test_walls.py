"""Every page of one tenant refuses the other; every page refuses strangers."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from audit.models import AuditEvent
from portico.admin.base import TenantScopedAdmin
from portico.admin.site import site
from tests.admin.conftest import PLANTED, World, sign_in, url

PUBLIC = {
    "login",
    "logout",
    "accept_invitation",
    "password_link",
    "jsi18n",
}  # jsi18n is the texts of Django's own scripts
GLOBAL_MODELS = {"auth.user"}  # users have no tenant; their pages are the superusers'


def named_patterns(patterns: Any = None) -> list[URLPattern]:
    found = []
    for pattern in site.get_urls() if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            found += named_patterns(pattern.url_patterns)
        elif pattern.name:
            found.append(pattern)
    return found


def converters(pattern: URLPattern) -> set[str]:
    return set(pattern.pattern.converters)


def object_pages() -> list[tuple[str, str, set[str]]]:
    """(model, URL name, arguments) of every page about one object."""
    pages = []
    for model, admin in site._registry.items():
        for pattern in named_patterns(admin.get_urls()):
            if "object_id" in converters(pattern):
                pages.append((model._meta.label_lower, pattern.name or "", converters(pattern)))
    return pages


def key_of(side: Any, model: str) -> Any:
    name = model.partition(".")[2]
    if name == "auditevent":
        return AuditEvent.objects.for_tenant(side.tenant).order_by("id").values_list("pk", flat=True)[0]
    return side.things[name].pk


def test_every_registered_admin_stands_behind_the_wall() -> None:
    for model, admin in site._registry.items():
        assert isinstance(admin, TenantScopedAdmin), f"{model} is registered without the wall"


def test_the_walk_finds_the_pages_of_every_tenant_model() -> None:
    models = {model for model, _, _ in object_pages()}
    assert {
        "tenants.tenant", "tenants.membership", "tenants.serviceaccount", "tenants.invitation",
        "tenants.accesskey", "connectors.connection", "connectors.toolpermission", "connectors.endpoint",
        "connectors.alerttarget", "connectors.usagelimit", "connectors.warmup", "connectors.usageday",
        "audit.auditevent",
    } <= models  # fmt: skip


@pytest.mark.parametrize("method", ["get", "post"])
def test_every_object_page_of_another_tenant_is_not_found(world: World, method: str) -> None:
    client = sign_in(world.left.people["owner"].user)
    for model, name, arguments in object_pages():
        if model in GLOBAL_MODELS:
            continue
        kwargs = {"object_id": key_of(world.right, model)} | (
            {"tool": "list_goals"} if "tool" in arguments else {}
        )
        response = getattr(client, method)(reverse(f"admin:{name}", kwargs=kwargs))
        # The audit refuses to be written before it looks, so that answer tells nothing either.
        refused = {403, 404} if (method, model) == ("post", "audit.auditevent") else {404}
        assert response.status_code in refused, f"{method} {name}: {response.status_code}"


def test_a_superuser_in_one_tenant_does_not_find_the_objects_of_another(world: World) -> None:
    client = sign_in(world.superuser, world.left.tenant)
    for model, name, arguments in object_pages():
        if model in GLOBAL_MODELS | {"tenants.tenant"}:
            continue
        kwargs = {"object_id": key_of(world.right, model)} | (
            {"tool": "list_goals"} if "tool" in arguments else {}
        )
        assert client.get(reverse(f"admin:{name}", kwargs=kwargs)).status_code == 404, name


def test_no_list_and_no_form_names_what_belongs_to_another_tenant(world: World) -> None:
    client = sign_in(world.left.people["owner"].user)
    right = world.right
    theirs = [right.tenant.slug, *(m.user.username for m in right.people.values())]
    theirs += [
        str(right.things[name])
        for name in ("serviceaccount", "accesskey", "invitation", "connection", "endpoint", "alerttarget")
    ]
    theirs += [
        right.things["warmup"].tool,
        right.things["usageday"].tool,
        right.things["usageday"].principal_name,
    ]
    pages = [url("index"), url("tenants_accesskey_add"), url("connectors_connection_add")]
    pages += [url("tenants_tenant_change", world.left.tenant.pk)]
    pages += [
        url("connectors_connection_tool", world.left.things["connection"].pk, "vaulted_say"),
        url("connectors_connection_tools", world.left.things["connection"].pk),
    ]
    pages += [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in site._registry
        if model._meta.label_lower not in GLOBAL_MODELS
    ]
    for page in pages:
        response = client.get(page, follow=True)
        assert response.status_code == 200, page
        text = response.content.decode()
        for secret in theirs:
            assert secret not in text, f"{page} names {secret}"


def test_filters_in_the_address_of_a_list_reach_no_other_tenant(world: World) -> None:
    client = sign_in(world.left.people["owner"].user)
    for query in (f"tenant__slug={world.right.tenant.slug}", f"tenant_id__exact={world.right.tenant.pk}"):
        response = client.get(f"{url('tenants_membership_changelist')}?{query}", follow=True)
        assert world.right.people["viewer"].user.username not in response.content.decode()


def test_every_page_asks_strangers_to_sign_in(world: World) -> None:
    nobody, outsider = Client(), sign_in(world.stranger)
    for pattern in named_patterns():
        if pattern.name in PUBLIC:
            continue
        samples = {
            "object_id": "1",
            "tool": "x",
            "uidb64": "x",
            "token": "x",
            "app_label": "tenants",
            "url": "x",
        }
        kwargs = {name: samples.get(name, "x") for name in converters(pattern)}
        target = _reverse(pattern, kwargs)
        for client in (nobody, outsider):
            response = client.get(target)
            assert response.status_code in (302, 404, 405), f"{target}: {response.status_code}"
            if response.status_code == 302:
                assert "/login/" in response["Location"], f"{target} -> {response['Location']}"


def _reverse(pattern: URLPattern, kwargs: dict[str, str]) -> str:
    if pattern.name == "app_list":
        return reverse("admin:app_list", args=["tenants"])
    return reverse(f"admin:{pattern.name}", kwargs=kwargs)


def test_an_inactive_member_is_out(world: World) -> None:
    from tests.factories import make_member

    member = make_member(world.left.tenant, "owner")
    client = sign_in(member.user)
    assert client.get(url("index")).status_code == 200
    member.user.is_active = False
    member.user.save()
    assert client.get(url("index")).status_code == 302


def test_a_removed_member_is_out_at_once(world: World) -> None:
    from tenants import services
    from tests.factories import SYSTEM, make_member

    member = make_member(world.left.tenant, "admin")
    client = sign_in(member.user)
    assert client.get(url("tenants_accesskey_changelist")).status_code == 200
    services.membership_remove(membership=member, actor=SYSTEM)
    assert client.get(url("tenants_accesskey_changelist")).status_code == 302


def test_nobody_switches_to_a_tenant_that_is_not_theirs(world: World) -> None:
    client = sign_in(world.left.people["owner"].user, world.right.tenant)
    text = client.get(url("index")).content.decode()
    assert world.left.tenant.slug in text
    assert world.right.tenant.slug not in text
    client.post(url("switch_tenant"), {"tenant": "platform"})
    assert "All tenants" not in client.get(url("index")).content.decode()


def test_a_member_of_two_tenants_sees_one_at_a_time(world: World) -> None:
    from tests.factories import make_member, make_user

    user = make_user()
    make_member(world.left.tenant, "owner", user)
    make_member(world.right.tenant, "owner", user)
    client = sign_in(user, world.left.tenant)
    page = url("connectors_connection_change", world.right.things["connection"].pk)
    assert client.get(page).status_code == 404
    client.post(url("switch_tenant"), {"tenant": str(world.right.tenant.pk)})
    assert client.get(page).status_code == 200


def test_a_form_opened_in_another_tenant_writes_nothing(world: World) -> None:
    from tests.factories import make_member, make_user

    user = make_user()
    make_member(world.left.tenant, "owner", user)
    make_member(world.right.tenant, "owner", user)
    client = sign_in(user, world.right.tenant)
    response = client.post(
        url("tenants_serviceaccount_add"),
        {"name": "lost", "role": "viewer", "_tenant": str(world.left.tenant.pk)},
    )
    assert response.status_code == 403
    assert "opened in another tenant" in response.content.decode()
    from tenants.models import ServiceAccount

    assert not ServiceAccount.objects.for_tenant(world.right.tenant).filter(name="lost").exists()


def test_no_secret_is_on_any_page(world: World) -> None:
    client = sign_in(world.left.people["owner"].user)
    pages = [url("index"), url("tenants_invitation_add"), url("tenants_accesskey_add")]
    for model, name, arguments in object_pages():
        if model not in GLOBAL_MODELS:
            kwargs = {"object_id": key_of(world.left, model)}
            pages.append(
                reverse(
                    f"admin:{name}", kwargs=kwargs | ({"tool": "vaulted_say"} if "tool" in arguments else {})
                )
            )
    secrets = [PLANTED, *(world.left.things[name] for name in ("secret", "token", "signing"))]
    seen = 0
    for page in pages:
        text = client.get(page).content.decode()
        seen += "<html" in text
        for secret in secrets:
            assert secret not in text, page
    assert seen > 10
    assert not re.search(
        r"ptc_[0-9a-f]{12}_[A-Za-z0-9_-]{43}",
        client.get(url("tenants_accesskey_changelist")).content.decode(),
    )
