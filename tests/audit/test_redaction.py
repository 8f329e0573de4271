import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.redaction import MASK, MAX_NODES, dump, is_secret_name, redact, redact_text


@pytest.mark.parametrize(
    "name",
    ["password", "Passwd", "user_password", "client_secret", "clientSecret", "api_key", "apiKey", "APIKEY", "X-Api-Key",
     "authorization", "Authorization", "jwt", "private_key", "privateKey", "access_token", "refreshToken", "token",
     "credentials", "aws_secret_access_key", "Set-Cookie", "passphrase"],
)  # fmt: skip
def test_secret_names_are_known_however_they_are_written(name):
    assert is_secret_name(name)
    assert redact({name: "S3cr3t"}) == {name: MASK}


@pytest.mark.parametrize(
    "name", ["title", "key", "monkey", "primary_key", "author", "tokenizer", "spinner", "passenger"]
)
def test_harmless_names_stay(name):
    assert redact({name: "text"}) == {name: "text"}


def test_numbers_of_tokens_and_absent_secrets_stay():
    value = {"max_tokens": 5, "token_count": 7, "token": None, "has_password": True}
    assert redact(value) == value
    assert redact({"password": 1234, "pin": 9}) == {"password": MASK, "pin": MASK}


@pytest.mark.parametrize(
    "text",
    ["ptc_abc123_S3cr3tS3cr3tS3cr3t", "Authorization: Bearer S3cr3tS3cr3t", "basic S3cr3tS3cr3t==",
     "eyJS3cr3tAAAAAAA.eyJS3cr3tBBBB.S3cr3t", "postgres://me:S3cr3t@host/db", "https://host/?token=S3cr3t&x=1",
     "-----BEGIN PRIVATE KEY-----\nS3cr3t\n-----END PRIVATE KEY-----"],
)  # fmt: skip
def test_what_looks_secret_is_masked_inside_any_text(text):
    shown = redact_text(f"before {text} after")
    assert "S3cr3t" not in shown and MASK in shown and shown.startswith("before ")


def test_declared_paths_are_secret_in_lists_too():
    value = {"inner": {"code": "S3cr3t", "other": 1}, "items": [{"code": "S3cr3t"}, {"code": 5}]}
    shown = redact(value, secret_paths=("inner.code", "items.code"))
    assert shown == {"inner": {"code": MASK, "other": 1}, "items": [{"code": MASK}, {"code": MASK}]}


def test_a_secret_across_the_cut_does_not_leak():
    for lead in range(1900, 2001, 7):
        shown = redact("y" * lead + "ptc_abc123_" + "S3cr3t" * 500)
        assert "S3cr3t" not in shown


def test_large_values_are_bounded_and_still_tell_each_other_apart():
    one = redact({"rows": list(range(100_000))}, key=b"k")
    two = redact({"rows": [*range(99_999), 0]}, key=b"k")
    assert one != two
    assert len(one["rows"]) <= MAX_NODES + 1
    assert redact({"rows": list(range(100_000))}, key=b"other") != one


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(JSONISH)
def test_nothing_breaks_it(value):
    assert isinstance(json.loads(dump(redact(value))), object)
