"""Connections: choose a connector, fill in what it declares, test it, switch its tools, try them."""

from typing import Any

from asgiref.sync import async_to_sync
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from unfold.decorators import display

from connectors import services
from connectors.base import Connector
from connectors.models import Connection, HealthCheck
from connectors.registry import UnknownConnectorError, connector_class, connector_slugs
from portico.admin.acting import MYSELF, actor_of, caller_for
from portico.admin.badges import badge
from portico.admin.base import SERVICE_ERRORS, ServiceAdmin
from portico.admin.breakers import breaker_view, mark_resting, resting_context
from portico.admin.connection_form import ConnectionForm
from portico.admin.connection_health import health_panel
from portico.admin.current import seat_of
from portico.admin.own_account import own_account_view
from portico.admin.site import site
from portico.admin.tool_pages import tool_view, tools_view
from tenants.principals import Role


def class_of(slug: str) -> type[Connector] | None:
    """The connector's class, or None when it is not installed (any more)."""
    try:
        return connector_class(slug)
    except UnknownConnectorError:
        return None


def tested_check(obj: Connection) -> HealthCheck | None:
    """The last test's answer, None before the first."""
    check: HealthCheck | None = getattr(obj, "health", None)
    return check if check is not None and check.tested else None


def _keeps(cls: type[Connector]) -> bool:
    return any(spec.cache != "-" for spec in cls.tools.values())


def facts(cls: type[Connector]) -> dict[str, Any]:
    """What the templates show of a connector (they would call a class instead of reading it)."""
    return {
        "slug": cls.slug,
        "title": cls.title,
        "description": cls.description,
        "icon": cls.icon,
        "tools": len(cls.tools),
        "resources": len(cls.resources),
        "prompts": len(cls.prompts),
    }


@admin.register(Connection, site=site)
class ConnectionAdmin(ServiceAdmin):
    """The tenant's connections."""

    view_role = add_role = change_role = delete_role = Role.ADMIN
    form_template = "portico/connection.html"
    list_display = ("name", "connector", "slug", "state", "offered")
    search_fields = ("name", "slug", "connector")
    ordering = ("slug",)
    list_select_related = ("health",)
    list_before_template = "portico/kept_results.html"
    empty_text = "A connection gives this tenant the tools of one system."
    delete_notice = "Its credentials, switches and the data that it keeps are deleted. Its audit events stay."

    @display(description="Last test")
    def state(self, obj: Connection) -> SafeString:
        """What the last test found."""
        check = tested_check(obj)
        if check is None:
            return badge("not tested")
        return badge("works", "ok") if check.ok else badge("fails", "bad")

    @display(description="Offered")
    def offered(self, obj: Connection) -> SafeString:
        """Whether its tools are offered, and all of them."""
        if not obj.enabled:
            return badge("switched off", "warn")
        if getattr(obj, "rests", False):
            return badge("calls rest", "bad")
        return badge("read-only", "info") if obj.read_only else badge("yes", "ok")

    def get_urls(self) -> list[URLPattern]:
        """Test, tools and a tool's page beside Django's pages."""
        wrap, name = self.admin_site.admin_view, "connectors_connection"
        return [
            path("forget/", wrap(self.forget_all_view), name=f"{name}_forget_all"),
            path("<path:object_id>/forget/", wrap(self.forget_view), name=f"{name}_forget"),
            path("<path:object_id>/check/", wrap(self.check_view), name=f"{name}_check"),
            path("<path:object_id>/breaker/", wrap(self.breaker_view), name=f"{name}_breaker"),
            path("<path:object_id>/mine/", wrap(self.mine_view), name=f"{name}_mine"),
            path("<path:object_id>/credential/", wrap(self.credential_view), name=f"{name}_credential"),
            path("<path:object_id>/tools/<slug:tool>/", wrap(self.tool_view), name=f"{name}_tool"),
            path("<path:object_id>/tools/", wrap(self.tools_view), name=f"{name}_tools"),
            *super().get_urls(),
        ]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Adding begins with the choice of a connector."""
        if object_id is None and not request.GET.get("connector"):
            if not self.has_add_permission(request):
                raise PermissionDenied
            return self.page(
                request,
                "portico/connectors.html",
                title="Choose a connector",
                connectors=[facts(cls) for cls in map(class_of, connector_slugs()) if cls is not None],
                back_url=self.url("changelist"),
            )
        return super().changeform_view(request, object_id, form_url, extra_context)

    def make_form(self, request: HttpRequest, obj: Any | None) -> ConnectionForm:
        """Bound on POST; for the connector that was chosen."""
        cls = self._class(request, obj)
        data = request.POST if request.method == "POST" else None
        if obj is None:
            return ConnectionForm(cls, None, data)
        if cls.Credentials is None:
            return ConnectionForm(cls, obj, data)
        secrets_set = frozenset(services.credential_fields(obj))
        return ConnectionForm(
            cls, obj, data, secrets_set=secrets_set, choices=services.credential_choices(obj)
        )

    def _class(self, request: HttpRequest, obj: Any | None) -> type[Connector]:
        cls = class_of(obj.connector if obj is not None else request.GET.get("connector", ""))
        if cls is not None:
            return cls
        if obj is None:
            raise Http404
        # Without its connector a connection has no settings to show, but it can be removed.
        return type(
            "Missing", (Connector,), {"slug": obj.connector, "title": obj.connector, "description": ""}
        )

    def create(self, request: HttpRequest, form: ConnectionForm) -> Any:
        """Connect."""
        values = form.cleaned_data
        return services.connection_create(
            tenant=seat_of(request).here,
            connector=form.cls.slug,
            slug=values["slug"],
            name=values["name"],
            settings=form.settings(),
            credential_mode=values.get("credential_mode"),
            credential=form.credential() or None,
            read_only=values["read_only"],
            enabled=values["enabled"],
            caller_token=values.get("caller_token", False),
            network=form.network(),
            cache=form.cache(),
            probe_minutes=values["probe_minutes"],
            actor=actor_of(request),
        )

    def update(self, request: HttpRequest, form: ConnectionForm, obj: Any) -> Any:
        """Change settings, and secrets only where one was typed; both or neither."""
        values, actor = form.cleaned_data, actor_of(request)
        with transaction.atomic():
            row = services.connection_update(
                obj,
                actor=actor,
                name=values["name"],
                settings=form.settings(),
                credential_mode=values.get("credential_mode"),
                read_only=values["read_only"],
                enabled=values["enabled"],
                caller_token=values.get("caller_token"),
                network=form.network(),
                cache=form.cache(),
                probe_minutes=values["probe_minutes"],
            )
            if secrets := form.credential():
                services.credential_set(row, secrets, actor=actor)
        return row

    def after_save(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """To the connection's page, where it can be tested; on it, what is odd about the credential."""
        for warning in services.credential_warnings(obj) if class_of(obj.connector) else ():
            messages.warning(request, warning)
        return HttpResponseRedirect(self.url("change", obj.pk))

    def form_context(self, request: HttpRequest, obj: Any | None) -> dict[str, Any]:
        """The connector, the last test and where the tools are."""
        cls = self._class(request, obj)
        context: dict[str, Any] = {"connector": facts(cls), "missing": cls.__name__ == "Missing"}
        if obj is None:
            return context | {"title": f"Connect {cls.title}", "save_label": "Connect"}
        return context | {
            "connection": obj,
            "check": tested_check(obj),
            "health": health_panel(obj),
            "check_url": self.url("check", obj.pk),
            "tools_url": self.url("tools", obj.pk),
            "credential_url": self.url("credential", obj.pk),
            "has_credential": cls.Credentials is not None and bool(services.credential_fields(obj)),
            "tool_count": len(cls.tools),
            **resting_context(self, obj),
            "forget_url": self.url("forget", obj.pk) if _keeps(cls) else "",
        }

    def remove(self, request: HttpRequest, obj: Any) -> None:
        """Disconnect."""
        services.connection_delete(obj, actor=actor_of(request))

    def check_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Test the connection now (POST)."""
        obj = self._changeable(request, object_id)
        # A non-member's test runs as the platform: it reaches nobody's personal credential.
        result = async_to_sync(services.connection_check)(obj, caller=caller_for(request, MYSELF))
        (messages.success if result.ok else messages.error)(request, f"{obj}: {result.message}")
        return HttpResponseRedirect(self.url("change", obj.pk))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """The list, and above it what is kept of the tenant's results."""
        tenant = seat_of(request).tenant
        kept: dict[str, Any] = {}
        if tenant is not None and self.has_change_permission(request):
            kept = dict(services.cache_stats(tenant.pk))
            kept |= {"percent": round((kept["rate"] or 0) * 100), "url": self.url("forget_all")}
            kept["tenant"] = tenant.pk
        answer: TemplateResponse = super().changelist_view(request, {**(extra_context or {}), "kept": kept})
        return answer

    def forget_all_view(self, request: HttpRequest) -> HttpResponse:
        """Forget what is kept of all the tenant's results (POST)."""
        if request.method != "POST" or not self.has_change_permission(request):
            raise PermissionDenied
        self.demand_same_tenant(request)
        self._forget(request, None)
        return HttpResponseRedirect(self.url("changelist"))

    def forget_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Forget what is kept of the connection's results (POST)."""
        obj = self._changeable(request, object_id)
        self._forget(request, obj)
        return HttpResponseRedirect(self.url("change", obj.pk))

    def _forget(self, request: HttpRequest, obj: Any | None) -> None:
        try:
            count = services.cache_clear(seat_of(request).here, obj, actor=actor_of(request))
        except SERVICE_ERRORS as error:
            messages.error(request, str(error))
        else:
            results = "result is" if count == 1 else "results are"
            messages.success(request, f"{obj or 'All connections'}: {count} kept {results} forgotten.")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The list's rows, each of which knows whether its calls rest."""
        return mark_resting(request, super().get_changelist_instance(request))

    def breaker_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Close the connection's breakers (POST)."""
        return breaker_view(self, request, self._changeable(request, object_id))

    def credential_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Forget the stored credential (POST)."""
        obj = self._changeable(request, object_id)
        try:
            services.credential_delete(obj, actor=actor_of(request))
        except SERVICE_ERRORS as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"{obj}: the stored credential is removed.")
        return HttpResponseRedirect(self.url("change", obj.pk))

    def mine_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The member's own credential; for every role."""
        obj = self.object_or_404(request, object_id)
        return own_account_view(self, request, obj, class_of(obj.connector))

    def tools_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The table of tools with their switches."""
        return tools_view(self, request, self._viewable(request, object_id))

    def tool_view(self, request: HttpRequest, object_id: str, tool: str) -> HttpResponse:
        """One tool: who may use it and why, and trying it."""
        return tool_view(self, request, self._viewable(request, object_id), tool)

    def _viewable(self, request: HttpRequest, object_id: str) -> Any:
        obj = self.object_or_404(request, object_id)
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        return obj

    def _changeable(self, request: HttpRequest, object_id: str) -> Any:
        obj = self.object_or_404(request, object_id)
        if request.method != "POST" or not self.has_change_permission(request, obj):
            raise PermissionDenied
        return obj
