"""Calls that an admin has made beforehand, so that the cache has their answers."""

from typing import Any

from django.db import models

from common.models import TenantModel
from connectors.models.connections import Connection
from tenants.models import Tenant


class WarmUp(TenantModel):
    """A reading tool with arguments, called on a schedule (cron, in the tenant's time zone)."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="warm_ups")
    tool = models.CharField(max_length=48)
    arguments: Any = models.JSONField(default=dict, blank=True)
    schedule = models.CharField(
        max_length=100,
        default="*/5 * * * *",
        help_text="Minute, hour, day of the month, month, day of the week, as cron writes them.",
    )
    enabled = models.BooleanField(default=True)
    next_at = models.DateTimeField(null=True, blank=True, db_index=True)
    last_at = models.DateTimeField(null=True, blank=True)
    last_ok = models.BooleanField(null=True)
    last_message = models.CharField(max_length=500, blank=True, default="")
    last_duration_ms = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        verbose_name = "warm-up"
        ordering = ["created_at"]

    def __str__(self) -> str:
        return f"{self.tool} at {self.schedule}"
