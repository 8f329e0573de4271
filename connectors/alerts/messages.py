"""What an alert says, as plain values: made of the rows once, sent by webhook or by mail."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from connectors.models import AlertTarget, HealthState, StateChange

CHANGED = "connection.state_changed"
TEST = "alert.test"


@dataclass(frozen=True, slots=True)
class Alert:
    """One message: its id (the same at every try), its type, when it happened, what it says.

    ``data`` is the webhook's; ``subject`` and ``text`` are the mail's. No part holds a secret.
    """

    id: str
    type: str
    at: datetime
    data: dict[str, Any]
    subject: str
    text: str

    def body(self) -> dict[str, Any]:
        """The webhook's JSON, in the shape that the Standard Webhooks specification recommends."""
        return {"type": self.type, "timestamp": self.at.isoformat(), "data": self.data}


def of_change(message_id: str, change: StateChange) -> Alert:
    """The alert of a change; its connection and tenant come with the row."""
    connection, tenant = change.connection, change.tenant
    data = {
        "tenant": tenant.slug,
        "connection": connection.slug,
        "connector": connection.connector,
        "former": str(change.former),
        "state": str(change.state),
        "since": change.at.isoformat(),
        "message": change.message,
    }
    failing = change.state == HealthState.FAILING
    name = f"{connection.name} ({tenant.slug}/{connection.slug})"
    subject = (_("%(name)s fails") if failing else _("%(name)s works again")) % {"name": name}
    when = f"{change.at:%Y-%m-%d %H:%M:%S} UTC"
    text = "\n\n".join(
        (
            _("%(name)s: %(former)s to %(state)s at %(when)s.")
            % {"name": name, "former": change.former, "state": change.state, "when": when},
            change.message,
            _("Its page in Portico's admin has the history."),
        )
    )
    return Alert(message_id, CHANGED, change.at, data, subject, text)


def of_test(message_id: str, target: AlertTarget, now: datetime) -> Alert:
    """An alert that says nothing but that it arrived."""
    data = {"tenant": target.tenant.slug, "target": target.name}
    text = _("This is a test of the alert target %(name)s of %(tenant)s. Nothing happened.") % {
        "name": target.name,
        "tenant": target.tenant.slug,
    }
    return Alert(message_id, TEST, now, data, _("A test of Portico's alerts"), text)
