"""What the tests of import_env share: the command on a text, and what it made."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from connectors.context import decrypted
from connectors.models import Connection, Credential
from connectors.registry import BUILT_IN
from connectors.snapshot import StoredCredential, TenantKey

SECRET = "ATATT3xPlanted-Secret-9f"
JIRA = f"""
JIRA_HOST=https://acme.atlassian.net/
JIRA_USERNAME=ann@acme.test
JIRA_API_TOKEN={SECRET}
JIRA_PROJECT_KEY=PROJ
JIRA_RATE_LIMIT_DELAY=0.5
"""


def needs(*connectors: str) -> pytest.MarkDecorator:
    absent = [name for name in connectors if name not in BUILT_IN]
    return pytest.mark.skipif(bool(absent), reason=f"no connector {', '.join(absent)} in this build")


@pytest.fixture
def imported(tmp_path):
    """Runs the command on a text; gives what it said, and whether it refused something."""

    def run(tenant: Any, text: str | bytes, *options: str) -> tuple[str, bool]:
        path = tmp_path / "file.env"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        out = StringIO()
        refused = False
        try:
            call_command(
                "import_env", str(path), "--tenant", tenant.slug, *options, stdout=out, no_color=True
            )
        except SystemExit:
            refused = True
        return out.getvalue(), refused

    return run


def connection_of(tenant: Any, slug: str) -> Connection:
    return Connection.objects.for_tenant(tenant).get(slug=slug)


def stored(row: Connection) -> dict[str, Any]:
    kept = Credential.objects.for_tenant(row.tenant_id).get(connection=row, kind="settings")
    key = TenantKey(row.tenant_id, bytes(row.tenant.wrapped_data_key))
    values = decrypted(key, StoredCredential(kept.pk, kept.version, bytes(kept.ciphertext)))
    return {name: value for name, value in values.items() if value}
