"""Use as a file for spreadsheets."""

import csv
from collections.abc import Iterable

from django.http import HttpResponse

from audit.export import neutral
from connectors.usage import Period, Use
from tenants.models import Tenant

COLUMNS = ("calls", "errors", "denied", "cached", "mean_ms")


def csv_of(tenant: Tenant, period: Period, by: str, uses: Iterable[Use]) -> HttpResponse:
    """The rows as CSV (RFC 4180), as a download."""
    name = f"{tenant.slug}-usage-by-{by}-{period.first}-{period.last}.csv"
    response = HttpResponse(
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )
    writer = csv.writer(response)
    writer.writerow([by, "name", *COLUMNS])
    for use in uses:
        writer.writerow([neutral(use.key), neutral(use.label), *(getattr(use, column) for column in COLUMNS)])
    return response
