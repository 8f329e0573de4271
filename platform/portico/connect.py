"""The page on which a member stores their own credential of a connection, sent there by a client.

Whoever opens the link signs in to Portico first and stores a credential for nobody but
themselves: a link that was passed on connects no stranger's account. A visitor who is not
who the link was made for, or no member, is told so; what exists in a tenant of others is
told to nobody.
"""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from connectors.connecting import FOR
from connectors.models import Connection
from connectors.registry import UnknownConnectorError, connector_class
from connectors.services import credential_fields, credential_set
from portico.admin.acting import actor_of
from portico.admin.connection_form import CREDENTIAL
from portico.admin.errors import SERVICE_ERRORS, add_errors
from portico.admin.forms import PorticoForm, dress
from portico.admin.model_form import model_fields, model_values
from tenants.models import Membership, Tenant

DONE = "done"


class OwnCredentialForm(PorticoForm):
    """The fields of a connector's ``Credentials``; a secret that is stored is never shown."""

    def __init__(self, model: Any, *args: Any, secrets_set: frozenset[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.model = model
        self.fields.update(model_fields(model, CREDENTIAL, {}, all_secret=True, secrets_set=secrets_set))
        dress(self)

    def values(self) -> dict[str, Any]:
        """What was typed, and no others."""
        return model_values(self.model, CREDENTIAL, self.cleaned_data)


@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def connect(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """Show the form to the member whom it is for, and store what they type."""
    if not request.user.is_authenticated:  # whatever the address: it tells nothing before
        query = urlencode({"next": request.get_full_path()})
        return HttpResponseRedirect(f"{reverse('admin:login')}?{query}")
    member = _member(request, slug)
    row = _connection(member, name) if member is not None else None
    if member is None or row is None:
        return _page(
            request, 404, refusal=_("There is nothing here for you to connect. Sign in as its member.")
        )
    if request.GET.get(FOR, str(member.pk)) != str(member.pk):
        return _page(request, 403, refusal=_("This link was made for somebody else. Sign in as that member."))
    try:
        model = connector_class(row.connector).Credentials
    except UnknownConnectorError:
        model = None
    if model is None:
        return _page(request, 404, refusal=_("This connection takes no credential."))
    stored = frozenset(credential_fields(row, member))
    if request.method != "POST" and request.GET.get(DONE) and stored:
        return _page(request, 200, connection=row, stored=True)
    form = OwnCredentialForm(model, request.POST if request.method == "POST" else None, secrets_set=stored)
    if request.method == "POST" and form.is_valid():
        try:
            credential_set(row, form.values(), actor=actor_of(request), principal=member)
        except SERVICE_ERRORS as error:
            add_errors(form, error)
        else:
            return HttpResponseRedirect(f"{request.path}?{urlencode({DONE: 1, FOR: member.pk})}")
    return _page(request, 422 if form.errors else 200, connection=row, form=form, replacing=bool(stored))


def _member(request: HttpRequest, slug: str) -> Any:
    """The visitor's membership of this tenant, while both are active."""
    return (
        Membership.objects.filter(
            tenant__slug=slug,
            tenant__status=Tenant.Status.ACTIVE,
            user_id=request.user.pk,
            user__is_active=True,
        )
        .select_related("tenant", "user")
        .first()
    )


def _connection(member: Any, name: str) -> Connection | None:
    """The tenant's connection of this name, where each member has their own credential."""
    return (
        Connection.objects.for_tenant(member.tenant_id)
        .select_related("tenant")
        .filter(slug=name, enabled=True, credential_mode=Connection.CredentialMode.PRINCIPAL)
        .first()
    )


def _page(request: HttpRequest, status: int, **context: Any) -> HttpResponse:
    from portico.admin.site import site

    shared = {**site.each_context(request), "title": _("Connect")}
    return TemplateResponse(request, "portico/connect.html", {**shared, **context}, status=status)
