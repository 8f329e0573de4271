"""Fills a database with connections to the systems whose ports are given; prints their access keys.

``python benchmarks/soak/prepare.py 9001 9002 …`` makes one tenant for each system, as
``soak00``, ``soak01`` and so on. ``python benchmarks/soak/prepare.py --close`` closes all breakers.
"""

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "platform")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portico.settings")

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402

from connectors.models import Connection  # noqa: E402
from connectors.services import connection_create  # noqa: E402
from connectors.upstream import breaker  # noqa: E402
from tenants import services  # noqa: E402
from tenants.principals import Actor  # noqa: E402

ACTOR = Actor.system("soak")
NETWORK = {"connect_s": 1, "read_s": 2, "connections": 10}


def make(ports: list[int]) -> dict[str, str]:
    """A tenant with a connection and a key for each port; keys by slug."""
    call_command("migrate", verbosity=0)
    keys = {}
    for number, port in enumerate(ports):
        slug = f"soak{number:02d}"
        tenant = services.tenant_create(slug=slug, name=slug, actor=ACTOR)
        connection_create(
            tenant=tenant,
            connector="remote",
            slug="remote",
            settings={"url": f"http://127.0.0.1:{port}"},
            credential={"token": f"token-of-{slug}"},
            network=NETWORK,
            actor=ACTOR,
        )
        account = services.service_account_create(tenant=tenant, name="load", role="operator", actor=ACTOR)
        keys[slug] = services.access_key_create(tenant=tenant, principal=account, name="load", actor=ACTOR)[1]
    return keys


def close() -> int:
    """Close every breaker, as an admin does."""
    rows = list(Connection.unscoped.filter(connector="remote"))
    for row in rows:
        breaker.reset(row.tenant_id, row.pk)
    return len(rows)


if __name__ == "__main__":
    print(json.dumps(close() if sys.argv[1:] == ["--close"] else make([int(port) for port in sys.argv[1:]])))
