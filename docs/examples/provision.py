#!/usr/bin/env python3
"""Provision a tenant with two connections and an access key, in four calls, with nothing but Python.

    PORTICO_URL=http://127.0.0.1:8000 PORTICO_TOKEN=pta_... python3 docs/examples/provision.py acme

Running it again changes nothing and prints the same key for a day (``Idempotency-Key``).
"""

import json
import os
import sys
import urllib.request
from typing import Any

URL = os.environ.get("PORTICO_URL", "http://127.0.0.1:8000").rstrip("/")
TOKEN = os.environ["PORTICO_TOKEN"]


def send(method: str, path: str, body: dict[str, Any], **headers: str) -> Any:
    """One call of the API; an error status raises."""
    request = urllib.request.Request(  # noqa: S310  the operator chose the URL
        f"{URL}/api/v1/{path}",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **headers},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


def main(slug: str) -> None:
    """Make the tenant and print how a client connects to it."""
    tenant = send("PUT", f"tenants/{slug}", {"name": slug.title(), "time_zone": "Europe/Berlin"})
    send("PUT", f"tenants/{slug}/connections/goals", {"connector": "goals"})
    send("PUT", f"tenants/{slug}/connections/memory", {"connector": "memory"})
    key = send(
        "POST",
        f"tenants/{slug}/access-keys",
        {"name": "first agent", "service_account": "agent", "role": "operator"},
        **{"Idempotency-Key": f"first-agent-of-{slug}"},
    )
    print(json.dumps({"mcp_url": tenant["mcp_url"], "access_key": key["secret"]}))


if __name__ == "__main__":
    main(sys.argv[1])
