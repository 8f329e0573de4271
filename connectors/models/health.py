"""How the systems behind connections are and were: the last probe, hours of probes, changes of state."""

from django.db import models

from common.models import TenantModel
from connectors.models.connections import Connection
from tenants.models import Tenant


class HealthState(models.TextChoices):
    """What the probes say of a connection."""

    UNKNOWN = "unknown", "not tested"
    OK = "ok", "works"
    FAILING = "failing", "fails"


class HealthCheck(TenantModel):
    """The last answer of a connection's test or probe, its state, and when it is probed again."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", editable=False)
    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="health")
    ok = models.BooleanField()
    message = models.CharField(max_length=500)
    details = models.JSONField(default=dict)
    latency_ms = models.PositiveIntegerField(default=0)
    checked_at = models.DateTimeField(auto_now=True)
    state = models.CharField(max_length=10, choices=HealthState.choices, default=HealthState.UNKNOWN)
    since = models.DateTimeField(null=True, blank=True)  # of the state
    failures = models.PositiveIntegerField(default=0)  # in a row
    next_probe_at = models.DateTimeField(null=True, blank=True, db_index=True)

    class Meta(TenantModel.Meta):
        pass

    def __str__(self) -> str:
        return self.message

    @property
    def tested(self) -> bool:
        """Whether there is an answer yet; the row is made when the first probe is planned."""
        return bool(self.message)


class HealthHour(TenantModel):
    """One hour (UTC) of a connection's probes, from which its uptime is reckoned."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    hour = models.DateTimeField(db_index=True)
    probes = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    latency_ms = models.PositiveBigIntegerField(default=0)  # of all probes together

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["connection", "hour"], name="one_row_per_hour")]

    def __str__(self) -> str:
        return f"{self.connection_id} at {self.hour:%Y-%m-%d %H}"


class StateChange(TenantModel):
    """A connection went from one state to another; what alerts tell of."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="changes")
    former = models.CharField(max_length=10, choices=HealthState.choices)
    state = models.CharField(max_length=10, choices=HealthState.choices)
    message = models.CharField(max_length=500)
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta(TenantModel.Meta):
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.former} to {self.state}"
