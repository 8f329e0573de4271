"""Who is told when a connection changes its state, and what was told."""

from django.db import models

from common.models import TenantModel
from connectors.models.health import StateChange
from tenants.models import Tenant


class AlertTarget(TenantModel):
    """A webhook or an e-mail address of a tenant.

    ``ciphertext`` is a webhook's signing secret, encrypted with the tenant's data key and
    bound to this row.
    """

    class Kind(models.TextChoices):
        WEBHOOK = "webhook", "Webhook"
        EMAIL = "email", "E-mail"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="alert_targets", editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=80)
    address = models.CharField(max_length=500, help_text="An https URL, or an e-mail address.")
    ciphertext = models.BinaryField(default=bytes, editable=False)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<AlertTarget {self.pk}>"


class AlertDelivery(TenantModel):
    """One change told to one target, with its tries; its id is the message's id, so repeats are known."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"
        FAILED = "failed"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", editable=False)
    target = models.ForeignKey(AlertTarget, on_delete=models.CASCADE, related_name="deliveries")
    change = models.ForeignKey(StateChange, on_delete=models.CASCADE, related_name="deliveries")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True, db_index=True)
    last_error = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["target", "change"], name="one_delivery_per_change"),
        ]

    def __str__(self) -> str:
        return f"{self.status} after {self.attempts}"
