"""Warm-ups: calls made beforehand on a schedule, so that the cache has their answers."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from unfold.decorators import display

from common.limits import take
from connectors import services
from connectors.limiting.calendar import said_moment
from connectors.models import Connection, WarmUp
from connectors.warming import RUNS_NOW, RUNS_NOW_S, run_now
from portico.admin.acting import actor_of
from portico.admin.badges import badge
from portico.admin.base import ServiceAdmin
from portico.admin.current import Seat, seat_of
from portico.admin.forms import JSONArea, PorticoForm
from portico.admin.site import site
from portico.templatetags.portico_admin import ago
from tenants.errors import InvalidValue, WrongState
from tenants.principals import Role


class WarmUpForm(PorticoForm):
    """A warm-up; its tool can only be chosen when it is made."""

    tool = forms.ChoiceField(
        help_text="Tools that read, whose results are kept, of connections with a shared credential or none."
    )
    arguments = JSONArea(
        required=False,
        help_text="The very arguments that clients send, as a JSON object: another argument is another answer.",
    )
    schedule = forms.CharField(
        max_length=100,
        initial="*/5 * * * *",
        help_text="Minute, hour, day of the month, month, day of the week, as cron writes them; in the "
        "tenant's time zone. Choose it shorter than the time for which the tool's results are kept.",
    )
    enabled = forms.BooleanField(required=False, initial=True)

    def __init__(self, *args: Any, seat: Seat, warm_up: WarmUp | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["arguments"].initial = {}
        if warm_up is not None:
            del self.fields["tool"]
            for name in self.fields:
                self.fields[name].initial = getattr(warm_up, name)
            return
        entries = [(entry.connection.ref, entry.spec) for entry in services.warmable_tools(seat.here)]
        tool: Any = self.fields["tool"]
        tool.choices = [
            ("", "-"),
            *(
                (f"{ref.slug}:{spec.name}", f"{ref.name}: {spec.title} ({spec.name})")
                for ref, spec in entries
            ),
        ]

    def clean_arguments(self) -> Any:
        """No arguments are an empty object."""
        given = self.cleaned_data["arguments"]
        if given is not None and not isinstance(given, dict):
            raise forms.ValidationError("Write a JSON object.")
        return given or {}


@admin.register(WarmUp, site=site)
class WarmUpAdmin(ServiceAdmin):
    """The tenant's warm-ups."""

    view_role = add_role = change_role = delete_role = Role.ADMIN
    form_template = "portico/warm_up.html"
    list_display = ("tool", "of_connection", "schedule", "state", "ran", "runs_next")
    list_select_related = ("connection", "tenant")
    ordering = ("created_at",)
    empty_text = "Nothing is called beforehand: the first client that asks waits for the system's answer."
    delete_notice = "It is called no more. What the cache has stays there for its time."

    @display(description="Connection")
    def of_connection(self, obj: WarmUp) -> str:
        """Its slug."""
        return obj.connection.slug

    @display(description="Last run")
    def state(self, obj: WarmUp) -> SafeString:
        """How the last run ended."""
        return state_of(obj)

    @display(description="Ran")
    def ran(self, obj: WarmUp) -> str:
        """When it ran last."""
        return ago(obj.last_at) if obj.last_at else "-"

    @display(description="Next run")
    def runs_next(self, obj: WarmUp) -> str:
        """When it runs next, in the time zone that its schedule has."""
        return next_run(obj)

    def get_urls(self) -> list[URLPattern]:
        """Running it now beside Django's pages."""
        run = self.admin_site.admin_view(self.run_view)
        return [path("<path:object_id>/run/", run, name="connectors_warmup_run"), *super().get_urls()]

    def make_form(self, request: HttpRequest, obj: Any | None) -> WarmUpForm:
        """Bound on POST."""
        data = request.POST if request.method == "POST" else None
        return WarmUpForm(data, seat=seat_of(request), warm_up=obj)

    def form_context(self, request: HttpRequest, obj: Any | None) -> dict[str, Any]:
        """How the last run ended, and where the button leads."""
        if obj is None:
            return {"title": "Add a warm-up", "save_label": "Add"}
        return {
            "warm_up": obj,
            "state": state_of(obj),
            "next_run": next_run(obj),
            "run_url": self.url("run", obj.pk),
        }

    def create(self, request: HttpRequest, form: WarmUpForm) -> Any:
        """Make the warm-up."""
        values = dict(form.cleaned_data)
        slug, _, tool = values.pop("tool").partition(":")
        tenant = seat_of(request).here
        connection = Connection.objects.for_tenant(tenant).filter(slug=slug).first()
        if connection is None:
            raise InvalidValue("There is no such connection.", "tool")
        return services.warm_up_create(
            tenant=tenant, connection=connection, tool=tool, actor=actor_of(request), **values
        )

    def update(self, request: HttpRequest, form: WarmUpForm, obj: Any) -> Any:
        """Change what the form has."""
        return services.warm_up_update(obj, actor=actor_of(request), **form.cleaned_data)

    def after_save(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """To its page, where it can be tried."""
        return HttpResponseRedirect(self.url("change", obj.pk))

    def remove(self, request: HttpRequest, obj: Any) -> None:
        """Call it no more."""
        services.warm_up_delete(obj, actor=actor_of(request))

    def run_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make a run now, and say how it ended (POST)."""
        obj: Any = self.object_or_404(request, object_id)
        if request.method != "POST" or not self.has_change_permission(request, obj):
            raise PermissionDenied
        if wait := take(RUNS_NOW, RUNS_NOW_S, obj.tenant_id.hex, "warm-up-now"):
            messages.error(request, f"Too many runs; try again in {int(wait) + 1} s.")
            return HttpResponseRedirect(self.url("change", obj.pk))
        try:
            warmed = run_now(obj)
        except WrongState as error:
            messages.error(request, f"{obj.tool}: {error.message}")
            return HttpResponseRedirect(self.url("change", obj.pk))
        if warmed.ok:
            messages.success(
                request, f"{obj.tool}: the cache has a new answer, after {warmed.duration_ms} ms."
            )
        else:
            messages.error(request, f"{obj.tool}: {warmed.message}")
        return HttpResponseRedirect(self.url("change", obj.pk))


def next_run(row: WarmUp) -> str:
    """The next run in the tenant's time zone, which is its schedule's; a dash where none is planned."""
    if not row.enabled or row.next_at is None:
        return "-"
    return said_moment(row.tenant.time_zone, row.next_at.timestamp())


def state_of(row: WarmUp) -> SafeString:
    """A label for how a warm-up stands."""
    if not row.enabled:
        return badge("switched off", "warn")
    if row.last_ok is None:
        return badge("not run yet")
    return badge("works", "ok") if row.last_ok else badge("fails", "bad")
