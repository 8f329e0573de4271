"""Open breakers and pauses on the pages of connections, and the button that ends them."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _

from connectors.resting import Resting, resting_of
from connectors.services.breakers import breakers_reset
from connectors.upstream.breaker import opened_among
from portico.admin.acting import actor_of
from portico.admin.base import SERVICE_ERRORS
from portico.admin.current import seat_of

WHOSE = {
    "shared": _("the shared credential"),
    "personal": _("a member's own credential"),
    "token": _("a token that a caller brought"),
    "none": _("calls without a credential"),
}
REASONS = {
    "timeout": _("no answer in time"),
    "connection": _("no connection"),
    "http_error": _("errors of the system (5xx)"),
    "vendor_limit": _("the system asked for a pause"),
}


def shown(resting: Resting) -> dict[str, Any]:
    """An open breaker in words."""
    return {
        "whose": resting.name or WHOSE[resting.whose],
        "reason": REASONS.get(resting.reason, resting.reason),
        "seconds": round(resting.seconds),
    }


def mark_resting(request: HttpRequest, changes: ChangeList) -> ChangeList:
    """Tell each row of a list whether its calls rest, with one question to Redis for all of them."""
    tenant, rows = seat_of(request).tenant, list(changes.result_list)
    if tenant is not None and rows:
        found = opened_among(tenant.pk, [row.pk for row in rows])
        for row in rows:
            row.rests = bool(found[row.pk])
    changes.result_list = rows  # type: ignore[assignment]
    return changes


def resting_context(admin: Any, obj: Any) -> dict[str, Any]:
    """What the connection's page shows of its breakers."""
    return {
        "resting": [shown(each) for each in resting_of(obj)],
        "breaker_url": admin.url("breaker", obj.pk),
    }


def breaker_view(admin: Any, request: HttpRequest, obj: Any) -> HttpResponse:
    """Close the breakers of a connection, then back to its page; the caller has checked the rights."""
    try:
        breakers_reset(obj, actor=actor_of(request))
    except SERVICE_ERRORS as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{obj}: its next call goes through.")
    return HttpResponseRedirect(admin.url("change", obj.pk))
