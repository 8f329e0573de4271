"""``var/quickstart.json``: how to reach what the quick start made. Needs no database."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from portico.first_start import write_private


@dataclass(slots=True)
class TenantAccess:
    """How a program reaches one tenant. Its ``repr`` shows no key."""

    slug: str
    mcp_url: str
    access_key: str = field(repr=False)


@dataclass(slots=True)
class Access:
    """The content of ``var/quickstart.json``. Its ``repr`` shows no secret."""

    admin_url: str
    username: str
    password: str = field(repr=False)
    tenants: list[TenantAccess]

    @property
    def base_url(self) -> str:
        """The public URL that the last start had."""
        return self.admin_url.removesuffix("/admin/")


def access_file() -> Path:
    """Where the facts of the quick start are kept, readable by their owner alone."""
    return settings.VAR / "quickstart.json"


def load() -> Access | None:
    """The kept facts; None where there are none or they cannot be understood."""
    try:
        raw: dict[str, Any] = json.loads(access_file().read_text())
        tenants = [TenantAccess(t["slug"], t["mcp_url"], t["access_key"]) for t in raw["tenants"]]
        return Access(raw["admin_url"], raw["username"], raw["password"], tenants)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save(access: Access) -> None:
    """Keep the facts, replacing the file in one step with mode 0600."""
    write_private(access_file(), json.dumps(asdict(access), indent=2) + "\n")


def admin_url(base: str = "") -> str:
    """The URL of the admin below a public URL, by default the configured one."""
    return f"{base or settings.PORTICO_PUBLIC_URL}/admin/"


def mcp_url(slug: str, base: str = "") -> str:
    """The URL of a tenant's MCP endpoint below a public URL, by default the configured one."""
    return f"{base or settings.PORTICO_PUBLIC_URL}/t/{slug}/mcp"


def endpoint_url(slug: str, endpoint: str, base: str = "") -> str:
    """The URL of one of a tenant's named endpoints."""
    return f"{base or settings.PORTICO_PUBLIC_URL}/t/{slug}/e/{endpoint}/mcp"


def readdress(access: Access) -> Access:
    """Make the URLs follow HOST, PORT and PORTICO_PUBLIC_URL, and keep them."""
    before = asdict(access)
    access.admin_url = admin_url()
    for tenant in access.tenants:
        tenant.mcp_url = mcp_url(tenant.slug)
    if asdict(access) != before:
        save(access)
    return access


def _fingerprint() -> str:
    """Changes with whatever could make the database need work: our migrations, packages, its place."""
    digest = hashlib.sha256(str(settings.DATABASES["default"]["NAME"]).encode())
    digest.update((settings.ROOT / "requirements.txt").read_bytes())
    for pattern in ("*/migrations/*.py", "connectors/providers/*/migrations/*.py"):
        for path in sorted(settings.ROOT.glob(pattern)):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def mark_prepared() -> None:
    """Note that the database is migrated and filled, so that the next start need not look."""
    write_private(settings.VAR / "prepared", _fingerprint() + "\n")


def is_prepared() -> bool:
    """Whether nothing changed since :func:`mark_prepared`. Only SQLite's file is ours to know."""
    if not settings.USES_SQLITE or not Path(settings.DATABASES["default"]["NAME"]).exists():
        return False
    try:
        return (settings.VAR / "prepared").read_text().strip() == _fingerprint()
    except OSError:
        return False
