"""How much a tenant may use and has used, and calls that a client must not repeat by mistake."""

from django.db import models

from common.models import TenantModel
from connectors.models.connections import Connection
from tenants.models import AccessKey, Principal, Tenant


class UsageLimit(TenantModel):
    """At most so many calls in a period; what is filled in says whose.

    Nothing: of the whole tenant. ``key``: through that access key. ``connection``, and with it
    ``tool``: of that connection or tool. Several rows may hold at once; each must be kept.
    ``month`` is a quota: the calendar month in the tenant's time zone, counted by tools' weight.
    """

    class Period(models.TextChoices):
        SECOND = "second", "per second"
        MINUTE = "minute", "per minute"
        HOUR = "hour", "per hour"
        DAY = "day", "per day"
        MONTH = "month", "per calendar month"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="limits", editable=False)
    key = models.ForeignKey(AccessKey, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    tool = models.CharField(max_length=48, blank=True, default="")
    calls = models.PositiveIntegerField()
    period = models.CharField(max_length=10, choices=Period.choices)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        verbose_name = "limit"
        ordering = ["created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(tool="") | models.Q(connection__isnull=False),
                name="limited_tool_is_of_a_connection",
            ),
            models.CheckConstraint(condition=models.Q(calls__gt=0), name="limit_lets_something_through"),
        ]

    def __str__(self) -> str:
        return f"{self.calls} {self.get_period_display()}"


class UsageDay(TenantModel):
    """One day (in the tenant's time zone) of one principal's calls of one tool, counted from the audit."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", editable=False)
    day = models.DateField(db_index=True)
    connection = models.CharField(max_length=14)  # slugs and names: they outlive what they name
    tool = models.CharField(max_length=48)
    principal_id = models.CharField(max_length=36, blank=True, default="")
    principal_name = models.CharField(max_length=150, blank=True, default="")
    calls = models.PositiveBigIntegerField(default=0)
    errors = models.PositiveBigIntegerField(default=0)
    denied = models.PositiveBigIntegerField(default=0)
    cached = models.PositiveBigIntegerField(default=0)
    duration_us = models.PositiveBigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        verbose_name = verbose_name_plural = "usage"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "day", "connection", "tool", "principal_id"], name="one_row_of_use_per_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.tool} on {self.day}"


class UsageCursor(TenantModel):
    """How far a tenant's audit chain has been counted; moves with the counts, in one transaction."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", editable=False)
    seq = models.PositiveBigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["tenant"], name="one_usage_cursor_per_tenant")]

    def __str__(self) -> str:
        return str(self.seq)


class IdempotentCall(TenantModel):
    """A call to which its client gave a key: sent again, it gets the first one's answer.

    ``digest`` is of tool and arguments; ``ciphertext`` is the answer, encrypted with the
    tenant's data key and bound to this row, empty while the call runs.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", editable=False)
    principal = models.ForeignKey(Principal, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    ciphertext = models.BinaryField(default=bytes, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["tenant", "principal", "key"], name="one_call_per_key"),
        ]

    def __str__(self) -> str:
        return f"call of {self.principal_id}"
