import base64
import threading
import time
from io import StringIO
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError

from audit.models import AuditEvent
from common import keyring, vault
from common.keyring import KEY_BYTES, KeyRing, UnknownKeyError, generate_key, parse_keys
from common.signing import BadToken, seal, unseal
from common.vault import VaultError, decrypt, encrypt, missing_kids, wrapped_kid
from tenants import services
from tenants.models import Tenant
from tests.factories import SYSTEM, make_tenant

SECRET = b"planted-secret-value"
BEFORE = settings.PORTICO_KEYS


@pytest.fixture
def ring_of():
    """Change the installation's ring for one test; processes read it anew after a restart."""

    def use(text):
        settings.PORTICO_KEYS = text
        keyring.forget_ring()
        vault.forget()

    yield use
    use(BEFORE)
    for tenant in Tenant.objects.all():  # what needs a key of this test alone is shredded
        if tenant.wrapped_data_key and wrapped_kid(tenant.wrapped_data_key) not in keyring.ring():
            Tenant.objects.filter(pk=tenant.pk).update(wrapped_data_key=b"")


def test_a_secret_comes_back_for_its_row():
    tenant, row = make_tenant(), uuid4()
    sealed = encrypt(tenant, row, "credential", SECRET)
    assert SECRET not in sealed
    assert decrypt(tenant, row, "credential", sealed) == SECRET
    assert encrypt(tenant, row, "credential", SECRET) != sealed


def test_a_secret_moved_to_another_row_tenant_or_purpose_does_not_decrypt():
    tenant, other, row = make_tenant(), make_tenant(), uuid4()
    sealed = encrypt(tenant, row, "credential", SECRET)
    for holder, where, purpose in (
        (tenant, uuid4(), "credential"),
        (other, row, "credential"),
        (tenant, row, "x"),
    ):
        with pytest.raises(VaultError) as refused:
            decrypt(holder, where, purpose, sealed)
        assert "planted" not in str(refused.value)


def test_another_tenants_data_key_pasted_into_a_row_does_not_open():
    tenant, other, row = make_tenant(), make_tenant(), uuid4()
    sealed = encrypt(other, row, "credential", SECRET)
    forged = Tenant(pk=tenant.pk, wrapped_data_key=other.wrapped_data_key)
    with pytest.raises(VaultError):
        decrypt(forged, row, "credential", sealed)


@pytest.mark.parametrize("damage", [b"", b"\x01", b"\x02" + b"x" * 60, b"\x01" * 100])
def test_damaged_secrets_are_an_error_and_no_crash(damage):
    tenant = make_tenant()
    with pytest.raises(VaultError):
        decrypt(tenant, uuid4(), "credential", damage)
    with pytest.raises((VaultError, UnknownKeyError)):
        decrypt(Tenant(wrapped_data_key=damage), uuid4(), "credential", damage)


def test_every_flipped_bit_is_noticed():
    tenant, row = make_tenant(), uuid4()
    sealed = encrypt(tenant, row, "credential", b"short")
    for index in range(len(sealed)):
        broken = bytearray(sealed)
        broken[index] ^= 1
        with pytest.raises(VaultError):
            decrypt(tenant, row, "credential", bytes(broken))


def test_unwrapped_keys_in_memory_are_bounded_and_hidden():
    keys = vault._DataKeys(2)
    tenants = [make_tenant() for _ in range(4)]
    for tenant in tenants:
        keys.get(tenant.pk, bytes(tenant.wrapped_data_key))
    assert repr(keys) == "<2 data keys>"


# -- the ring --------------------------------------------------------------------------


def test_the_first_key_encrypts_and_all_decrypt(ring_of):
    old, new = generate_key("old"), generate_key("new")
    ring_of(old)
    tenant, row = make_tenant(), uuid4()
    sealed = encrypt(tenant, row, "credential", SECRET)
    ring_of(f"{new},{old}")
    assert decrypt(tenant, row, "credential", sealed) == SECRET
    assert wrapped_kid(make_tenant().wrapped_data_key) == "new"


def test_a_missing_key_is_named_and_found_by_the_start_check(ring_of):
    ring_of(generate_key("lost"))
    tenant, row = make_tenant(), uuid4()
    sealed = encrypt(tenant, row, "credential", SECRET)
    ring_of(generate_key("other"))
    assert missing_kids([tenant.wrapped_data_key, b""]) == {"lost"}
    with pytest.raises(UnknownKeyError, match="lost"):
        decrypt(tenant, row, "credential", sealed)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " , ",
        "k1",
        "k1:",
        "k1:short",
        f":{'A' * 43}=",
        "k 1:" + "A" * 43,
        "k1:" + "!" * 43,
        f"{'x' * 17}:{'A' * 43}=",
    ],
)
def test_a_wrong_ring_is_refused_with_what_to_write_and_without_its_keys(text):
    with pytest.raises(ImproperlyConfigured) as refused:
        parse_keys(text)
    assert "write" in str(refused.value).lower() or "openssl" in str(refused.value)
    assert "A" * 43 not in str(refused.value)


def test_a_key_id_is_used_once():
    key = generate_key("k1")
    with pytest.raises(ImproperlyConfigured, match="twice"):
        parse_keys(f"{key},{key}")


def test_keys_are_derived_by_purpose_and_the_ring_hides_them():
    class Provider:
        def keys(self):
            return {"k1": b"\x01" * KEY_BYTES, "k2": b"\x02" * KEY_BYTES}

    ring = KeyRing(Provider())
    derived = {ring.derive(kid, purpose) for kid in ("k1", "k2") for purpose in ("a", "b")}
    assert len(derived) == 4
    assert all(len(key) == 32 for key in derived)
    assert b"\x01" * KEY_BYTES not in derived
    assert repr(ring) == "<KeyRing k1, k2>"


# -- rotation --------------------------------------------------------------------------


def test_rotation_under_running_reads_breaks_none(ring_of):
    old, new = generate_key("old"), generate_key("new")
    ring_of(f"{old},{BEFORE}")
    tenants = [make_tenant() for _ in range(5)]
    row = uuid4()
    sealed = {tenant.pk: encrypt(tenant, row, "credential", SECRET) for tenant in tenants}
    ring_of(f"{new},{old},{BEFORE}")
    stop, failures, reads = threading.Event(), [], []

    def read():
        from django.db import connection

        try:
            while not stop.is_set():
                for tenant in Tenant.objects.filter(pk__in=sealed):
                    if decrypt(tenant, row, "credential", sealed[tenant.pk]) != SECRET:
                        failures.append("wrong")
                    reads.append(1)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        out = StringIO()
        call_command("rotate_keys", stdout=out)
        done = len(reads)
        end = time.monotonic() + 5
        while len(reads) < done + 20 and time.monotonic() < end and not failures:
            pass
    finally:
        stop.set()
        reader.join()
    assert not failures
    assert "data keys wrapped with new" in out.getvalue()
    for tenant in tenants:
        held = tenant.wrapped_data_key
        tenant.refresh_from_db()
        assert wrapped_kid(tenant.wrapped_data_key) == "new"
        assert bytes(tenant.wrapped_data_key) != bytes(held)
        stale = Tenant(pk=tenant.pk, wrapped_data_key=held)  # what a running call still holds
        assert decrypt(stale, row, "credential", sealed[tenant.pk]) == SECRET
    assert AuditEvent.unscoped.filter(tenant=None, name="keys.rotate").exists()
    again = StringIO()
    call_command("rotate_keys", stdout=again)
    assert again.getvalue().startswith("0 data keys wrapped with new")
    # Give the other tests' tenants back to the ring they know.
    ring_of(f"{BEFORE},{new},{old}")
    call_command("rotate_keys", stdout=StringIO())


def test_a_data_key_that_cannot_be_read_is_named_and_keeps_no_other_from_rotation(ring_of):
    ring_of(f"{generate_key('gone')},{BEFORE}")
    lost = make_tenant()
    ring_of(f"{generate_key('old')},{BEFORE}")
    tenant = make_tenant()
    ring_of(f"{BEFORE},{settings.PORTICO_KEYS}".replace(f",{BEFORE}", ""))
    with pytest.raises(CommandError) as refused:
        call_command("rotate_keys", stdout=StringIO())
    assert lost.slug in str(refused.value)
    assert "'gone'" in str(refused.value)
    tenant.refresh_from_db()
    assert wrapped_kid(tenant.wrapped_data_key) == keyring.ring().current


# -- signed tokens ---------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 7, "text", [1, "ä", None], {"page": 2, "after": "x"}])
def test_a_token_gives_its_value_back(value):
    assert unseal("cursor", seal("cursor", value, bind="t1"), bind="t1") == value


def test_a_token_is_worthless_for_another_purpose_or_holder():
    token = seal("cursor", 1, bind="t1")
    for purpose, bind in (("session", "t1"), ("cursor", "t2"), ("cursort", "1"), ("cursor", "")):
        with pytest.raises(BadToken):
            unseal(purpose, token, bind=bind)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "a.b",
        "x" * 100_000,
        "\x00",
        "é.é",
        "\ud800",
        None,
        7,
        base64.urlsafe_b64encode(b"[1]").decode() + ".",
    ],
)
def test_what_is_no_token_is_refused(token):
    with pytest.raises(BadToken):
        unseal("cursor", token, bind="t1")


def test_every_changed_character_of_a_token_is_noticed():
    token = seal("cursor", {"page": 1}, bind="t1")
    for index in range(len(token) - 1):
        changed = token[:index] + ("A" if token[index] != "A" else "B") + token[index + 1 :]
        with pytest.raises(BadToken):
            unseal("cursor", changed, bind="t1")


def test_a_token_ends():
    assert unseal("x", seal("x", 1, bind="b", max_age=60), bind="b") == 1
    with pytest.raises(BadToken, match="expired"):
        unseal("x", seal("x", 1, bind="b", max_age=-60), bind="b")


def test_tokens_of_an_older_key_stay_valid_while_the_ring_has_it(ring_of):
    token = seal("cursor", 1, bind="b")
    ring_of(f"{generate_key('newer')},{BEFORE}")
    assert unseal("cursor", token, bind="b") == 1
    ring_of(generate_key("newest"))
    with pytest.raises(BadToken):
        unseal("cursor", token, bind="b")


def test_sealing_is_cheap():
    seal("cursor", 1, bind="b")
    best = min(
        _timed(lambda: unseal("cursor", seal("cursor", [1, 2], bind="b"), bind="b")) for _ in range(300)
    )
    assert best < 100e-6  # about 10 µs for both on an idle machine


def _timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def test_a_suspended_and_deleted_tenants_secrets_are_gone():
    tenant, row = make_tenant(), uuid4()
    sealed = encrypt(tenant, row, "credential", SECRET)
    services.tenant_delete(tenant=services.tenant_suspend(tenant=tenant, actor=SYSTEM), actor=SYSTEM)
    with pytest.raises(VaultError):
        decrypt(Tenant(pk=tenant.pk), row, "credential", sealed)
