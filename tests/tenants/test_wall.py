import pytest
from django.apps import apps

from common.models import TenantModel, TenantQuerySet, UnscopedQueryError
from tenants.models import AccessKey, Invitation, Membership, Principal, ServiceAccount, Tenant
from tenants.selectors import tenants_of
from tests.factories import make_key, make_member, make_tenant, make_user

SCOPED = [AccessKey, Invitation, Membership, Principal, ServiceAccount]


@pytest.mark.parametrize("model", SCOPED, ids=lambda model: model.__name__)
@pytest.mark.parametrize(
    "query",
    [
        lambda rows: list(rows.all()),
        lambda rows: list(rows.filter(created_at=None)),
        lambda rows: rows.first(),
        lambda rows: rows.last(),
        lambda rows: rows.count(),
        lambda rows: rows.exists(),
        lambda rows: rows.update(role="x"),
        lambda rows: rows.delete() if hasattr(rows, "delete") else rows.all().delete(),
        lambda rows: rows.aggregate(),
        lambda rows: list(rows.values_list("pk")),
        lambda rows: list(rows.iterator()),
        lambda rows: rows.get(created_at=None),
        lambda rows: rows.in_bulk(),
        lambda rows: list(rows.exclude(tenant=None)),
        lambda rows: rows.get_or_create(created_at=None),
        lambda rows: rows.update_or_create(created_at=None),
        lambda rows: rows.latest("created_at"),
        lambda rows: rows.dates("created_at", "day")[0],
        lambda rows: list(rows.all() | rows.all()),
        lambda rows: rows.all()[:1][0],
        lambda rows: list(rows.all().union(rows.all())),
    ],
)
def test_a_query_that_names_no_tenant_does_not_run(model, query):
    with pytest.raises(UnscopedQueryError):
        query(model.objects)


async def test_nor_from_the_event_loop():
    with pytest.raises(UnscopedQueryError):
        async for _ in AccessKey.objects.all():
            pass
    with pytest.raises(UnscopedQueryError):
        await AccessKey.objects.acount()


def test_one_tenant_never_sees_anothers_rows():
    one, two = make_tenant(), make_tenant()
    key, _ = make_key(one)
    assert list(AccessKey.objects.for_tenant(one)) == [key]
    assert list(AccessKey.objects.for_tenant(two)) == []
    assert AccessKey.objects.filter(tenant=one).count() == 1
    with pytest.raises(AccessKey.DoesNotExist):
        AccessKey.objects.get(tenant=two, pk=key.pk)


def test_combining_two_tenants_rows_is_not_a_way_around():
    one = make_tenant()
    make_key(one)
    with pytest.raises(UnscopedQueryError):
        list(AccessKey.objects.for_tenant(one) | AccessKey.objects.all())
    with pytest.raises(UnscopedQueryError):
        list(AccessKey.objects.for_tenant(one).union(AccessKey.objects.all()))
    with pytest.raises(UnscopedQueryError):
        list(AccessKey.objects.all() ^ AccessKey.objects.for_tenant(one))
    assert len(AccessKey.objects.for_tenant(one) & AccessKey.objects.all()) == 1
    assert len(AccessKey.objects.for_tenant(one) | AccessKey.objects.for_tenant(one)) == 1


def test_an_empty_query_needs_no_tenant():
    assert list(AccessKey.objects.none()) == []


def test_every_row_of_a_tenant_has_its_wall():
    for model in apps.get_models():
        if issubclass(model, TenantModel):
            assert not model._meta.get_field("tenant").null, model
            assert isinstance(model.objects.get_queryset(), TenantQuerySet), model


def test_people_see_their_own_tenants():
    one, two = make_tenant(), make_tenant()
    user = make_member(one, "viewer").user
    assert list(tenants_of(user)) == [one]
    assert tenants_of(make_user(superuser=True)).filter(pk__in=[one.pk, two.pk]).count() == 2
    assert not tenants_of(make_user()).exists()
    user.is_active = False
    assert not tenants_of(user).exists()
    assert isinstance(tenants_of(user).model(), Tenant)
