"""Alert targets: who is told when a connection fails or works again, and what they were told."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from unfold.decorators import display

from common.limits import take
from connectors.alerts import services
from connectors.models import AlertTarget
from portico.admin.acting import actor_of
from portico.admin.badges import badge
from portico.admin.base import SERVICE_ERRORS, ServiceAdmin
from portico.admin.current import seat_of
from portico.admin.forms import PorticoForm
from portico.admin.site import site
from portico.api.alerts import TESTS, TESTS_S, deliveries_of
from tenants.principals import Role


class AlertTargetForm(PorticoForm):
    """A target; its kind only when it is made."""

    kind = forms.ChoiceField(choices=AlertTarget.Kind.choices, label="How")
    name = forms.CharField(max_length=80, help_text="For example: on-call channel.")
    address = forms.CharField(
        max_length=500, help_text="Of a webhook its https URL; else one e-mail address."
    )
    enabled = forms.BooleanField(
        required=False, initial=True, help_text="Switched off, it gets no alerts, and none afterwards."
    )

    def __init__(self, *args: Any, target: AlertTarget | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if target is not None:
            del self.fields["kind"]
            for name in self.fields:
                self.fields[name].initial = getattr(target, name)


@admin.register(AlertTarget, site=site)
class AlertTargetAdmin(ServiceAdmin):
    """The tenant's alert targets."""

    view_role = add_role = change_role = delete_role = Role.ADMIN
    form_template = "portico/alert_target.html"
    list_display = ("name", "kind", "shown", "state")
    search_fields = ("name",)
    ordering = ("name",)
    empty_text = "Nobody is told when a connection fails, or when it works again."
    delete_notice = "It is told nothing more, and the record of what it was told is deleted."

    @display(description="Address")
    def shown(self, obj: AlertTarget) -> str:
        """Of a URL the host alone: its path may be a secret."""
        return services.shown_address(obj).partition(" ")[0]

    @display(description="State")
    def state(self, obj: AlertTarget) -> SafeString:
        """Whether it is told."""
        return badge("on", "ok") if obj.enabled else badge("switched off", "warn")

    def get_urls(self) -> list[URLPattern]:
        """Testing and a new secret beside Django's pages."""
        wrap, name = self.admin_site.admin_view, "connectors_alerttarget"
        return [
            path("<path:object_id>/test/", wrap(self.test_view), name=f"{name}_test"),
            path("<path:object_id>/secret/", wrap(self.secret_view), name=f"{name}_secret"),
            *super().get_urls(),
        ]

    def make_form(self, request: HttpRequest, obj: Any | None) -> AlertTargetForm:
        """Bound on POST."""
        return AlertTargetForm(request.POST if request.method == "POST" else None, target=obj)

    def form_context(self, request: HttpRequest, obj: Any | None) -> dict[str, Any]:
        """What it was told, and where its buttons lead."""
        if obj is None:
            return {"title": "Add an alert target", "save_label": "Add"}
        return {
            "target": obj,
            "is_webhook": obj.kind == AlertTarget.Kind.WEBHOOK,
            "deliveries": list(deliveries_of(obj)),
            "test_url": self.url("test", obj.pk),
            "secret_url": self.url("secret", obj.pk),
        }

    def create(self, request: HttpRequest, form: AlertTargetForm) -> Any:
        """Make the target; a webhook's secret is shown, once."""
        row, secret = services.alert_target_create(
            tenant=seat_of(request).here, actor=actor_of(request), **form.cleaned_data
        )
        return self._secret_page(request, row, secret) if secret else row

    def update(self, request: HttpRequest, form: AlertTargetForm, obj: Any) -> Any:
        """Change what the form has."""
        return services.alert_target_update(obj, actor=actor_of(request), **form.cleaned_data)

    def after_save(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """To the target's page, where it can be tested."""
        return HttpResponseRedirect(self.url("change", obj.pk))

    def remove(self, request: HttpRequest, obj: Any) -> None:
        """Tell them no more."""
        services.alert_target_delete(obj, actor=actor_of(request))

    def test_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send a test now (POST)."""
        obj = self._changeable(request, object_id)
        if wait := take(TESTS, TESTS_S, obj.tenant_id.hex, "alert-test"):
            messages.error(request, f"Too many tests; try again in {int(wait) + 1} s.")
            return HttpResponseRedirect(self.url("change", obj.pk))
        tried = services.alert_target_test(obj, actor=actor_of(request))
        if tried.ok:
            messages.success(request, f"{obj}: the test was delivered.")
        else:
            messages.error(request, f"{obj}: {tried.error}")
        return HttpResponseRedirect(self.url("change", obj.pk))

    def secret_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make a new signing secret and show it, once (POST)."""
        obj = self._changeable(request, object_id)
        try:
            secret = services.alert_secret_renew(obj, actor=actor_of(request))
        except SERVICE_ERRORS as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(self.url("change", obj.pk))
        return self._secret_page(request, obj, secret)

    def _secret_page(self, request: HttpRequest, row: AlertTarget, secret: str) -> HttpResponse:
        response = self.page(
            request,
            "portico/alert_secret.html",
            title="Signing secret",
            target=row,
            secret=secret,
            back_url=self.url("change", row.pk),
        )
        response.headers["Cache-Control"] = "no-store"
        return response

    def _changeable(self, request: HttpRequest, object_id: str) -> Any:
        obj = self.object_or_404(request, object_id)
        if request.method != "POST" or not self.has_change_permission(request, obj):
            raise PermissionDenied
        return obj
