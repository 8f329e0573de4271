import asyncio
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from audit.failures import failures
from audit.models import AuditEvent
from common.db import in_db
from common.writer import writer
from tenants import key_cache, services
from tenants.access import AccessDenied, authenticate, authenticate_blocking, presented_key
from tenants.models import AccessKey
from tests.factories import SYSTEM, make_key, make_member, make_tenant, make_user, unique

NOBODYS = "ptc_" + "0" * 12 + "_" + "A" * 43


def refusal(slug, secret, address="192.0.2.1"):
    with pytest.raises(AccessDenied) as denied:
        authenticate_blocking(slug, secret, address=address)
    return denied.value


def works(tenant, secret):
    return authenticate_blocking(tenant.slug, secret, address="192.0.2.1")


def test_a_key_becomes_a_caller_with_its_rights():
    tenant = make_tenant()
    key, secret = make_key(tenant, "admin", allow=["goals:*"], deny=["*:delete_*"], read_only=True)
    caller = works(tenant, secret)
    assert (caller.tenant.id, caller.key_id, caller.role) == (tenant.pk, key.id, "admin")
    assert (caller.rights.allow, caller.rights.deny, caller.rights.read_only) == (
        ("goals:*",), ("*:delete_*",), True,
    )  # fmt: skip
    assert (caller.address, caller.via) == ("192.0.2.1", "api")
    assert authenticate_blocking(tenant.slug, secret, address="192.0.2.9").address == "192.0.2.9"


async def test_the_event_loop_gets_the_same_caller_and_looks_a_key_up_once_for_all_who_wait():
    def prepare():
        tenant = make_tenant()
        return tenant, *make_key(tenant)

    tenant, key, secret = await in_db(prepare)
    callers = await asyncio.gather(
        *(authenticate(tenant.slug, secret, address="192.0.2.1") for _ in range(20))
    )
    assert len({id(caller) for caller in callers}) == 1
    assert callers[0].key_id == key.id
    assert callers[0].via == "mcp"


@pytest.mark.parametrize(
    "secret",
    [None, "", "x", "ptc_", NOBODYS, "ptc_\x00", "ptc_" + "é" * 12, "\udc80", "p" * 100_000, NOBODYS + "A"],
    ids=repr,
)
def test_what_is_no_key_gets_the_strangers_answer(secret):
    tenant = make_tenant()
    assert str(refusal(tenant.slug, secret)) == AccessDenied.PUBLIC


def test_the_right_id_with_another_secret_is_refused():
    tenant = make_tenant()
    _, secret = make_key(tenant)
    forged = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    assert refusal(tenant.slug, forged).reason == "unknown"
    assert works(tenant, secret)
    assert refusal(tenant.slug, forged).reason == "unknown"


@pytest.mark.parametrize(
    "slug", ["", "nobody-has-this", "a\x00b", "../x", "x" * 5000, "ACME", "\ud800", "a\n"], ids=repr
)
def test_a_key_opens_no_other_slug_whatever_it_is(slug):
    tenant = make_tenant()
    _, secret = make_key(tenant)
    assert str(refusal(slug, secret)) == AccessDenied.PUBLIC
    assert works(tenant, secret)


def test_absent_suspended_and_foreign_tenants_answer_alike():
    home, other, asleep = make_tenant(), make_tenant(), make_tenant()
    _, secret = make_key(home)
    _, asleep_secret = make_key(asleep)
    services.tenant_suspend(tenant=asleep, actor=SYSTEM)
    answers = {
        str(refusal(other.slug, secret)),
        str(refusal(unique("none"), secret)),
        str(refusal(asleep.slug, secret)),
        str(refusal(asleep.slug, asleep_secret)),
        str(refusal(home.slug, NOBODYS)),
        str(refusal(home.slug, None)),
    }
    assert len(answers) == 1


def test_absent_and_foreign_slugs_cost_the_same(django_assert_num_queries):
    other = make_tenant()
    for slug in (other.slug, unique("none")):
        _, secret = make_key(make_tenant())
        with django_assert_num_queries(1):  # the key alone is looked up, never the slug
            refusal(slug, secret)
        with django_assert_num_queries(0):
            refusal(slug, secret)


def test_absent_and_present_tenants_take_equally_long():
    home, other = make_tenant(), make_tenant()
    _, secret = make_key(home)
    absent = unique("none")
    rounds: dict[str, list[float]] = {other.slug: [], absent: []}
    works(home, secret)
    for _ in range(300):
        for slug, times in rounds.items():
            start = time.perf_counter()
            refusal(slug, secret)
            times.append(time.perf_counter() - start)
    one, two = (sorted(times)[len(times) // 2] for times in rounds.values())
    assert max(one, two) / min(one, two) < 1.5


def test_a_revoked_key_is_refused_at_once_in_its_own_process():
    tenant = make_tenant()
    key, secret = make_key(tenant)
    works(tenant, secret)
    services.access_key_revoke(key=key, actor=SYSTEM)
    assert refusal(tenant.slug, secret).reason == "revoked"


def test_a_suspended_tenant_is_closed_and_opens_again():
    tenant = make_tenant()
    _, secret = make_key(tenant)
    works(tenant, secret)
    services.tenant_suspend(tenant=tenant, actor=SYSTEM)
    assert refusal(tenant.slug, secret).reason == "suspended"
    services.tenant_resume(tenant=tenant, actor=SYSTEM)
    assert works(tenant, secret)


def test_removing_a_member_ends_their_keys():
    tenant = make_tenant()
    member = make_member(tenant, "operator")
    key, secret = make_key(tenant, principal=member)
    assert works(tenant, secret).principal_id == member.pk
    services.membership_remove(membership=member, actor=SYSTEM)
    assert refusal(tenant.slug, secret).reason == "unknown"
    assert not AccessKey.objects.for_tenant(tenant).filter(pk=key.pk).exists()


def test_a_user_who_is_not_active_has_no_access():
    tenant, user = make_tenant(), make_user()
    _, secret = make_key(tenant, principal=make_member(tenant, "operator", user))
    works(tenant, secret)
    user.is_active = False
    user.save()
    services.user_changed(user)
    assert refusal(tenant.slug, secret).reason == "inactive"


def test_an_expired_key_is_refused_by_the_clock_without_any_change():
    tenant = make_tenant()
    _, secret = make_key(tenant, expires_at=timezone.now() + timedelta(seconds=0.3))
    assert works(tenant, secret)
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        try:
            works(tenant, secret)
        except AccessDenied as denied:
            assert denied.reason == "expired"
            return
    pytest.fail("the key outlived its end")


def test_a_key_works_only_from_its_networks():
    tenant = make_tenant()
    _, secret = make_key(tenant, networks=["192.0.2.0/28", "2001:db8::/32"])
    assert works(tenant, secret)
    assert authenticate_blocking(tenant.slug, secret, address="2001:db8::7")
    assert refusal(tenant.slug, secret, "192.0.2.77").reason == "network"
    assert refusal(tenant.slug, secret, "").reason == "network"


def test_a_changed_role_is_seen_by_the_next_call():
    tenant = make_tenant()
    member = make_member(tenant, "operator")
    _, secret = make_key(tenant, principal=member)
    assert works(tenant, secret).role == "operator"
    services.membership_update(membership=member, role="viewer", actor=SYSTEM)
    assert works(tenant, secret).role == "viewer"


def test_a_stranger_who_guesses_keys_is_stopped_before_the_database(django_assert_num_queries):
    tenant, address = make_tenant(), "198.51.100.23"
    reasons = [refusal(tenant.slug, f"ptc_{n:012x}_{'B' * 43}", address).reason for n in range(40)]
    assert reasons[0] == "unknown"
    with django_assert_num_queries(0):
        assert refusal(tenant.slug, f"ptc_{'f' * 12}_{'B' * 43}", address).reason == "too_many"
    _, secret = make_key(tenant)
    assert works(tenant, secret)  # others are not held up


def test_an_unknown_key_is_remembered_for_a_moment(django_assert_num_queries):
    tenant = make_tenant()
    secret = f"ptc_{unique('')}00_{'C' * 43}"
    refusal(tenant.slug, secret, "198.51.100.24")
    with django_assert_num_queries(0):
        refusal(tenant.slug, secret, "198.51.100.24")


def test_what_is_remembered_of_keys_is_bounded():
    cache = key_cache.Bounded(3)
    for number in range(10):
        cache.put(number, number + 1)
    assert len(cache) == 3
    cache.get(7)
    cache.put(99, 1)
    assert cache.get(7) == 8
    assert cache.get(8) is None


def test_a_remembered_key_costs_no_query_and_little_time(django_assert_num_queries):
    tenant = make_tenant()
    _, secret = make_key(tenant)
    works(tenant, secret)
    with django_assert_num_queries(0):
        works(tenant, secret)
    best = min(_timed(lambda: works(tenant, secret)) for _ in range(200))
    assert best < 50e-6


def _timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def test_the_last_use_is_written_without_delaying_the_call():
    tenant = make_tenant()
    key, secret = make_key(tenant)
    works(tenant, secret)
    assert writer.flush()
    key.refresh_from_db()
    first = key.last_used_at
    assert first is not None
    works(tenant, secret)
    assert writer.flush()
    key.refresh_from_db()
    assert key.last_used_at == first  # at most once a minute


def test_failed_authentications_are_counted_in_the_tenants_audit():
    tenant = make_tenant()
    _, secret = make_key(make_tenant())
    for _ in range(3):
        refusal(tenant.slug, secret, "198.51.100.25")
    assert writer.flush()
    failures.flush()
    assert writer.flush()
    rows = list(AuditEvent.objects.for_tenant(tenant).filter(kind="auth"))
    assert sum(row.count for row in rows) == 3
    assert {(row.address, row.error_type) for row in rows} == {("198.51.100.25", "foreign")}
    assert all(secret not in str(vars(row)) for row in rows)


def test_the_secret_is_in_no_repr_and_no_row():
    tenant = make_tenant()
    key, secret = make_key(tenant)
    caller = works(tenant, secret)
    entry = key_cache.entries.get(key.id)
    tail = secret.split("_", 2)[2]
    for shown in (repr(caller), repr(entry), repr(key), str(key), str(vars(key))):
        assert tail not in shown
    assert key.digest not in repr(entry)


@pytest.mark.parametrize(
    ("header", "secret"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Basic abc", None),
        ("", None),
        (None, None),
        ("Bearer", ""),
    ],
)
def test_the_secret_is_read_from_a_bearer_header(header, secret):
    assert presented_key(header) == secret
