"""A member's own credential for a connection on which everybody signs in as themselves."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from connectors import services
from connectors.base import Connector
from connectors.models import Connection, Credential
from portico.admin.acting import actor_of
from portico.admin.connection_form import CREDENTIAL
from portico.admin.current import Seat, seat_of
from portico.admin.errors import SERVICE_ERRORS, add_errors
from portico.admin.forms import PorticoForm, dress
from portico.admin.model_form import model_fields, model_values

if TYPE_CHECKING:
    from portico.admin.connections import ConnectionAdmin


def own_accounts(seat: Seat) -> list[dict[str, Any]]:
    """The connections that want the member's own credential, and whether there is one."""
    if seat.membership is None:
        return []
    personal = Connection.objects.for_tenant(seat.here).filter(
        credential_mode=Connection.CredentialMode.PRINCIPAL, enabled=True
    )
    mine = set(
        Credential.objects.for_tenant(seat.here)
        .filter(principal_id=seat.membership.pk)
        .values_list("connection_id", flat=True)
    )
    return [
        {
            "connection": row,
            "connected": row.pk in mine,
            "url": reverse("admin:connectors_connection_mine", args=[row.pk]),
        }
        for row in personal.order_by("slug")
    ]


def own_account_view(
    admin: "ConnectionAdmin", request: HttpRequest, connection: Connection, cls: type[Connector] | None
) -> HttpResponse:
    """Store the member's own secrets; they are shown to nobody, the member included."""
    seat = seat_of(request)
    if seat.membership is None:
        raise PermissionDenied("Only a member has an account here.")
    if (
        connection.credential_mode != Connection.CredentialMode.PRINCIPAL
        or cls is None
        or cls.Credentials is None
    ):
        raise Http404
    model = cls.Credentials
    own = (connection, seat.membership)
    stored, choices = frozenset(services.credential_fields(*own)), services.credential_choices(*own)
    form = PorticoForm(request.POST if request.method == "POST" else None)
    form.fields.update(model_fields(model, CREDENTIAL, choices, all_secret=True, secrets_set=stored))
    dress(form)
    if request.method == "POST":
        admin.demand_same_tenant(request)
        if form.is_valid():
            values = model_values(model, CREDENTIAL, form.cleaned_data)
            try:
                services.credential_set(
                    connection, values, actor=actor_of(request), principal=seat.membership
                )
            except SERVICE_ERRORS as error:
                add_errors(form, error)
            else:
                messages.success(request, f"Your account for {connection} is stored.")
                for warning in services.credential_warnings(connection, seat.membership):
                    messages.warning(request, warning)
                return HttpResponseRedirect(reverse("admin:index"))
    return admin.page(
        request,
        "portico/form.html",
        status=422 if form.errors else 200,
        title=f"Your account: {connection}",
        opts=None,
        intro=f"{connection} calls {cls.title} as yourself. What you write here is stored encrypted, "
        "used for your own calls alone, and shown to nobody.",
        form=form,
        writable=True,
    )
