"""Every released database is migrated to today's schema and read; on whichever database the suite runs."""

import json
import os
import shutil
from pathlib import Path

import pytest
from django.db import connection

from tests.services import postgres_bin
from tests.upgrade.program import DUMP, FACTS, FILE, KEYS, RELEASED, SQLITE, Postgres, environment, python

HOME = Path(os.environ.get("PORTICO_TEST_RELEASED") or RELEASED)
VERSIONS = sorted(path.name for path in HOME.glob("*") if (path / FACTS).exists())
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")


def test_there_is_a_released_database():
    assert VERSIONS, f"{HOME} has no release; make one with: python -m tests.upgrade.release <version>"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_released_database_is_upgraded_and_its_secrets_are_read(version, tmp_path):
    folder = HOME / version
    facts = json.loads((folder / FACTS).read_text())["databases"][connection.vendor]
    keys = (folder / KEYS).read_text().strip()
    if connection.vendor == SQLITE:
        database = tmp_path / FILE
        shutil.copy(folder / FILE, database)
        url, drop = f"sqlite:///{database}", None
    else:
        postgres = Postgres(postgres_bin(), os.environ["DATABASE_URL"], f"released_{version}{WORKER}")
        postgres.create()
        postgres.load(folder / DUMP)
        url, drop = postgres.url, postgres.drop
    try:
        python("tests.upgrade.read", environment(url, keys, tmp_path), json.dumps(facts))
    finally:
        if drop is not None:
            drop()


@pytest.mark.parametrize("version", VERSIONS)
def test_without_its_key_ring_nothing_is_read(version, tmp_path):
    facts = json.loads((HOME / version / FACTS).read_text())["databases"][SQLITE]
    shutil.copy(HOME / version / FILE, tmp_path / FILE)
    other = "released:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    with pytest.raises(AssertionError, match=r"VaultError"):
        python(
            "tests.upgrade.read",
            environment(f"sqlite:///{tmp_path / FILE}", other, tmp_path),
            json.dumps(facts),
        )
