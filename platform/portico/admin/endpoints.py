"""Named endpoints: parts of a tenant's tools under URLs of their own."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.decorators import display

from connectors import services
from connectors.models import Endpoint
from connectors.snapshot import load
from portico.access import endpoint_url
from portico.admin.acting import actor_of
from portico.admin.badges import badge
from portico.admin.base import ServiceAdmin
from portico.admin.current import seat_of
from portico.admin.forms import LinesField, PorticoForm
from portico.admin.site import site
from portico.admin.token_cost import cost_of
from tenants.principals import Role

FIELDS = ("name", "toolsets", "include", "read_only", "deferred", "enabled")


class EndpointForm(PorticoForm):
    """An endpoint's settings; ``slug`` only when it is made."""

    slug = forms.CharField(
        max_length=40,
        help_text="2 to 40 small letters, digits and hyphens. Part of the URL /t/<tenant>/e/<slug>/mcp; "
        "fixed for ever.",
    )
    name = forms.CharField(max_length=100, required=False, help_text="What people see; empty: the slug.")
    toolsets = LinesField(
        label="Toolsets",
        help_text="Connections by slug, connectors (their first connection) or connection:toolset. One a line.",
    )
    include = LinesField(
        label="And these tools",
        help_text="Patterns connection:tool, * in either half. One a line. Both lists empty: everything.",
    )
    read_only = forms.BooleanField(
        required=False, label="Read-only", help_text="Tools that write are neither listed nor called here."
    )
    deferred = forms.BooleanField(
        required=False,
        label="Search instead of a list",
        help_text="Clients list two tools, one that searches the others and one that calls them. This switch "
        "decides for the endpoint, whatever the tenant's own says.",
    )
    enabled = forms.BooleanField(
        required=False, initial=True, help_text="While off, the URL answers that there is no such endpoint."
    )

    def __init__(self, *args: Any, endpoint: Endpoint | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if endpoint is not None:
            del self.fields["slug"]
            for name in FIELDS:
                self.fields[name].initial = getattr(endpoint, name)


@admin.register(Endpoint, site=site)
class EndpointAdmin(ServiceAdmin):
    """The tenant's named endpoints."""

    view_role = add_role = change_role = delete_role = Role.ADMIN
    form_template = "portico/endpoint.html"
    list_display = ("name", "slug", "offered", "read_only", "deferred")
    search_fields = ("name", "slug")
    ordering = ("slug",)
    delete_notice = "Clients that use its URL are told that there is no such endpoint. Its tools stay."

    @display(description="Offered")
    def offered(self, obj: Endpoint) -> Any:
        """Whether the URL is served."""
        return badge("yes", "ok") if obj.enabled else badge("switched off", "warn")

    def make_form(self, request: HttpRequest, obj: Any | None) -> EndpointForm:
        """Bound on POST."""
        return EndpointForm(request.POST if request.method == "POST" else None, endpoint=obj)

    def create(self, request: HttpRequest, form: EndpointForm) -> Any:
        """Make the endpoint."""
        return services.endpoint_create(
            tenant=seat_of(request).here, actor=actor_of(request), **form.cleaned_data
        )

    def update(self, request: HttpRequest, form: EndpointForm, obj: Any) -> Any:
        """Change what the form has."""
        return services.endpoint_update(obj, actor=actor_of(request), **form.cleaned_data)

    def after_save(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """To the endpoint's page, which shows its URL and what its list costs."""
        return HttpResponseRedirect(self.url("change", obj.pk))

    def form_context(self, request: HttpRequest, obj: Any | None) -> dict[str, Any]:
        """The URL, and what the list costs a model."""
        if obj is None:
            return {"title": "Add an endpoint", "save_label": "Add"}
        return {
            "endpoint": obj,
            "endpoint_url": endpoint_url(seat_of(request).here.slug, obj.slug),
            "cost": cost_of(load(obj.tenant_id), obj.slug) if obj.enabled else None,
        }

    def remove(self, request: HttpRequest, obj: Any) -> None:
        """Take the URL away."""
        services.endpoint_delete(obj, actor=actor_of(request))
