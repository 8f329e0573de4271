"""Rotating the key ring under running calls breaks none of them."""

import base64
import threading

from tests.live import Line, Live, environment, manage, own_database, run_code
from tests.mcp_endpoint.speak import Place

OLD = "old:" + base64.b64encode(bytes(range(32))).decode()
NEW = "new:" + base64.b64encode(bytes(range(100, 132))).decode()
TENANTS = 8

SEED = f"""
from django.core.management import call_command
call_command("migrate", verbosity=0)
from tests.factories import *
made = []
for number in range({TENANTS}):
    tenant = make_tenant()
    make_connection(tenant, "probe", credential={{"user": "u", "token": "x" * 11}})
    made.append([tenant.slug, make_key(tenant)[1]])
print(json.dumps(made))
"""
READ = """
import os
from connectors.models import Credential
from connectors.context import CREDENTIAL_PURPOSE
from common.vault import decrypt
from audit.verification import verify
from tenants.models import Tenant
rows = Credential.unscoped.select_related("tenant")
tokens = [json.loads(decrypt(r.tenant, r.pk, CREDENTIAL_PURPOSE, r.ciphertext))["token"] for r in rows]
broken = [t.slug for t in Tenant.objects.all() if not verify(t.pk.hex).ok] if "," in os.environ["PORTICO_KEYS"] else []
print(json.dumps([tokens, broken]))
"""


class Named:
    def __init__(self, slug: str) -> None:
        self.slug = slug


def test_rotating_keys_under_running_calls_breaks_none(database, tmp_path):
    url = own_database(tmp_path, "rotation")
    places = [
        Place(Named(slug), key, None) for slug, key in run_code(SEED, environment(url, PORTICO_KEYS=OLD))
    ]
    live = Live(tmp_path, url=url, PORTICO_KEYS=f"{NEW},{OLD}")
    try:
        over, failures, counts = threading.Event(), [], []

        def load(number: int) -> None:
            line, count = Line(live.port), 0
            while not over.wait(0.02):  # all the time, and still with room for who rotates
                place = places[(number + count) % TENANTS]
                answer = line.call(place, "probe_credential")
                count += 1
                if answer.status != 200 or answer.result.get("structuredContent") != {
                    "user": "u",
                    "length": 11,
                }:
                    failures.append(answer.body)
            counts.append(count)

        clients = [threading.Thread(target=load, args=(number,)) for number in range(4)]
        for client in clients:
            client.start()
        done = manage("rotate_keys", env=environment(url, PORTICO_KEYS=f"{NEW},{OLD}"))
        over.set()
        for client in clients:
            client.join(30)
        assert done.returncode == 0, done.stderr
        assert f"{TENANTS} data keys wrapped with new" in done.stdout
        assert failures == []
        assert sum(counts) > 50
        with live.lines() as lines:
            for line in lines:
                for place in places:
                    assert line.call(place, "probe_credential").result["isError"] is False
    finally:
        live.stop()
    read, chains = run_code(READ, environment(url, PORTICO_KEYS=f"{NEW},{OLD}"))
    assert chains == [], "a chain broke"
    alone = run_code(READ, environment(url, PORTICO_KEYS=NEW))
    assert alone[0] == read == ["x" * 11] * TENANTS, "the old key is needed no more"
