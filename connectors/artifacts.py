"""Files that tools made: kept in the database for a day, the same from every worker."""

import hashlib
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from common.text import clean_text
from connectors.errors import InvalidInput
from connectors.models import Artifact

MAX_BYTES = 10 * 1024 * 1024
LIFETIME = timedelta(hours=24)


def artifact_save(
    *, tenant_id: UUID, connection_id: UUID, principal_id: UUID | None, name: str, mime_type: str, data: bytes
) -> Artifact:
    """Store a file of at most 10 MB for 24 hours. Raises InvalidInput when it is larger."""
    if len(data) > MAX_BYTES:
        raise InvalidInput(
            f"The file would be {len(data):,} bytes; at most {MAX_BYTES:,} are kept.",
            code="file_too_large",
            hint="Ask for a shorter period or fewer rows.",
        )
    row: Artifact = Artifact.objects.create(
        tenant_id=tenant_id,
        connection_id=connection_id,
        principal_id=principal_id,
        name=clean_text(name, 200).replace("/", "_").replace("\\", "_"),
        mime_type=mime_type,
        digest=hashlib.sha256(data).hexdigest(),
        size=len(data),
        data=data,
        expires_at=timezone.now() + LIFETIME,
    )
    return row


def artifact_get(tenant_id: UUID, artifact_id: UUID) -> Artifact | None:
    """A tenant's file that has not expired, or None."""
    found: Artifact | None = (
        Artifact.objects.for_tenant(tenant_id).filter(pk=artifact_id, expires_at__gt=timezone.now()).first()
    )
    return found


def artifacts_purge(batch: int = 500) -> int:
    """Remove expired files of all tenants, in batches; returns how many."""
    removed = 0
    while ids := list(
        Artifact.unscoped.filter(expires_at__lte=timezone.now()).values_list("pk", flat=True)[:batch]
    ):
        Artifact.unscoped.filter(pk__in=ids).delete()
        removed += len(ids)
    return removed
