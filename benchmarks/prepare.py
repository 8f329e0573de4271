"""Fills a database for a measurement and prints what the load generator needs, as JSON."""

import json
import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "platform")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portico.settings")

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402

from connectors.services import connection_create  # noqa: E402
from tenants import services  # noqa: E402
from tenants.principals import Actor  # noqa: E402


def main(tenants: int, system: int) -> None:
    call_command("migrate", verbosity=0)
    actor = Actor.system("bench")
    made = {}
    for number in range(tenants):
        slug = f"bench{number:04d}"
        tenant = services.tenant_create(slug=slug, name=slug, actor=actor)
        for connector in ("trivial", "goals", "memory") if number == 0 else ("trivial",):
            connection_create(tenant=tenant, connector=connector, slug=connector, actor=actor)
        if number == 0:
            connection_create(
                tenant=tenant,
                connector="remote",
                slug="remote",
                settings={"url": f"http://127.0.0.1:{system}"},
                credential={"token": "token"},
                actor=actor,
            )
        account = services.service_account_create(tenant=tenant, name="load", role="operator", actor=actor)
        made[slug] = services.access_key_create(tenant=tenant, principal=account, name="load", actor=actor)[1]
    listing = services.tenant_create(slug="listing", name="listing", actor=actor)
    connection_create(tenant=listing, connector="listed", slug="listed", actor=actor)
    account = services.service_account_create(tenant=listing, name="load", role="operator", actor=actor)
    made["listing"] = services.access_key_create(tenant=listing, principal=account, name="load", actor=actor)[
        1
    ]
    print(json.dumps(made))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
