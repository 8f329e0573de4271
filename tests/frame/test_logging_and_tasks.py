import io
import logging
import uuid

import pytest

from common.log_context import log_context, request_context, tenant_context
from common.tasks import tenant_task
from portico.logging import OneLine, masked, request_id_of


def logged(message, *arguments, **kwargs):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine())
    logger = logging.Logger("test")
    logger.addHandler(handler)
    logger.warning(message, *arguments, **kwargs)
    return stream.getvalue()


def test_a_record_is_one_line_with_its_tenant_and_request():
    with log_context(tenant="acme", request_id="r-1"):
        line = logged("first\nsecond %s", "x")
    assert line.count("\n") == 1
    assert "WARNING tenant=acme request=r-1 test: first\\nsecond x" in line
    assert "tenant=- request=-" in logged("outside")


@pytest.mark.parametrize(
    "text",
    [
        "key ptc_0123456789ab_sEcReTsEcReT-_x",
        "{'authorization': 'Bearer sEcReTsEcReT'}",
        "Authorization: Basic sEcReTsEcReT",
        "[(b'authorization', b'Bearer sEcReTsEcReT')]",
        'Authorization="sEcReTsEcReT"',
        "sent bearer sEcReTsEcReT to it",
        "postgres://portico:sEcReTsEcReT@db/portico",
        "redis://:sEcReTsEcReT@redis:6379/0",
        "Not Found: /admin/invitation/sEcReTsEcReT/",
        "Not Found: /admin/password/MQ/sEcReTsEcReT-x/",
    ],
)
def test_secrets_never_reach_a_log_line(text):
    assert "sEcReTsEcReT" not in masked(text)
    assert "sEcReTsEcReT" not in logged("%s", text)
    try:
        raise ValueError(text)
    except ValueError:
        assert "sEcReTsEcReT" not in logged("failed", exc_info=True)


def test_a_masked_key_still_says_which_key_it_was():
    assert masked("ptc_0123456789ab_sEcReT") == "ptc_0123456789ab_***"


def test_a_request_id_is_kept_only_if_it_is_short_and_plain():
    assert request_id_of("abc-1.2_3") == "abc-1.2_3"
    for odd in (None, "", "a b", "x" * 65, "a\nb"):
        assert request_id_of(odd) != odd


@tenant_task("tests.frame.where")
def where(tenant_id: uuid.UUID, *, fail: bool = False) -> tuple[uuid.UUID, str, str]:
    if fail:
        raise RuntimeError("no")
    return tenant_id, tenant_context.get(), request_context.get()


def test_a_task_runs_in_the_context_of_its_tenant_and_leaves_none_behind():
    tenant = uuid.uuid4()
    with log_context(request_id="outer"):
        assert where.run(str(tenant)) == (tenant, str(tenant), "")
        assert where.apply([str(tenant)], task_id="run-1").get() == (tenant, str(tenant), "run-1")
        assert (tenant_context.get(), request_context.get()) == ("", "outer")
    with pytest.raises(RuntimeError):
        where.run(str(tenant), fail=True)
    assert tenant_context.get() == ""


@pytest.mark.parametrize("given", [None, "", "acme", 7])
def test_a_task_without_a_tenants_id_does_not_run(given):
    with pytest.raises(TypeError, match="without a tenant's id"):
        where.run(given)


def test_every_scheduled_task_exists():
    from portico.celery import app

    app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert scheduled <= set(app.tasks)
