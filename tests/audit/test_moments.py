import random

from django.db import transaction

from audit.events import now_us
from audit.models import AuditEvent
from audit.moments import SLACK_US, since_us, since_us_anywhere, until_us
from audit.services import record_in_transaction
from tests.factories import make_tenant

DAY_US = 86_400_000_000


def numbers(rows):
    return list(rows.order_by("seq").values_list("seq", flat=True))


def test_a_moment_is_found_among_numbers_as_a_filter_by_time_would(tenant, call):
    chance = random.Random(7)
    start = now_us() - 200 * DAY_US
    times = [
        start + day * DAY_US // 2 + chance.randrange(-SLACK_US // 2, SLACK_US // 2) for day in range(150)
    ]
    AuditEvent.objects.for_tenant(tenant).delete()  # the tenant began today
    with transaction.atomic():
        for at_us in times:
            record_in_transaction(call(at_us=at_us))
    mine = AuditEvent.objects.for_tenant(tenant)
    for at_us in (0, times[0], times[70], times[70] + 1, times[-1], times[-1] + DAY_US, now_us() + DAY_US):
        assert numbers(mine.filter(since_us(tenant, at_us))) == numbers(mine.filter(at_us__gte=at_us))
        assert numbers(mine.filter(until_us(tenant, at_us))) == numbers(mine.filter(at_us__lt=at_us))


def test_a_moment_in_an_empty_chain_has_no_events():
    nobody = make_tenant()
    AuditEvent.objects.for_tenant(nobody).delete()
    assert not AuditEvent.objects.for_tenant(nobody).filter(since_us(nobody, 0)).exists()
    assert not AuditEvent.objects.for_tenant(nobody).filter(until_us(nobody, now_us())).exists()


def test_a_search_in_the_numbers_takes_few_looks(tenant, call, django_assert_max_num_queries):
    with transaction.atomic():
        for age in range(100, 0, -1):
            record_in_transaction(call(at_us=now_us() - age * DAY_US))
    with django_assert_max_num_queries(10):
        since_us(tenant, now_us() - 30 * DAY_US)


def test_recent_events_of_all_chains_are_found_by_their_ids(tenant, call, rows):
    with transaction.atomic():
        record_in_transaction(call("recent"))
    found = AuditEvent.unscoped.filter(since_us_anywhere(now_us() - SLACK_US))
    assert rows()[0].pk in set(found.values_list("pk", flat=True))
