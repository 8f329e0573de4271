"""The wall around every admin page, and the shape that every page of ours has.

:class:`TenantScopedAdmin` narrows whatever it shows to the current tenant and decides by role.
:class:`ServiceAdmin` adds forms whose writes go through services, never through ``save()``.
"""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin

from portico.admin.current import Seat, seat_of
from portico.admin.errors import SERVICE_ERRORS, add_errors
from tenants.principals import Role

TENANT_FIELD = "_tenant"


class TenantScopedAdmin(ModelAdmin):
    """An admin that knows one tenant: the current one.

    Subclasses say which role each right needs; None keeps a right to superusers, and
    ``nobody`` (the default for writing) to nobody at all. On the platform's pages (no current
    tenant) the list is empty unless ``get_platform_queryset`` says otherwise.
    """

    nobody = "nobody"
    view_role: Role | str | None = Role.ADMIN
    add_role: Role | str | None = nobody
    change_role: Role | str | None = nobody
    delete_role: Role | str | None = nobody

    actions = None
    list_per_page = 50
    show_full_result_count = True
    list_fullwidth = False
    empty_text = ""  # what an empty list says: what is missing, and what it would do

    # -- the wall ------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> Any:
        """The current tenant's rows and no others."""
        tenant = seat_of(request).tenant
        model: Any = self.model
        rows = self.get_platform_queryset(request) if tenant is None else model.objects.for_tenant(tenant)
        ordering = self.get_ordering(request)
        return rows.order_by(*ordering) if ordering else rows

    def get_platform_queryset(self, request: HttpRequest) -> Any:
        """What the platform's page of this model shows to a superuser; nothing unless overridden."""
        return self.model.unscoped.none()

    def get_field_queryset(self, db: str | None, db_field: Any, request: HttpRequest) -> Any:
        """The choices of a foreign key: rows of the current tenant, where the target has tenants."""
        target = db_field.remote_field.model
        if _has_tenant(target):
            tenant = seat_of(request).tenant
            return target.objects.for_tenant(tenant) if tenant else target.unscoped.none()
        return super().get_field_queryset(db, db_field, request)

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Any, object_id: str
    ) -> HttpResponse:
        raise Http404

    def object_or_404(self, request: HttpRequest, object_id: str) -> Any:
        """One row of the current tenant. Raises Http404 for anybody else's, and for none."""
        found = self.get_object(request, object_id)
        if found is None:
            raise Http404
        return found

    # -- rights --------------------------------------------------------------------------

    def _may(self, request: HttpRequest, role: Role | str | None) -> bool:
        if role == self.nobody:
            return False
        seat = seat_of(request)
        if seat.tenant is None and not self.on_platform(request):
            return False
        return seat.may(role)  # type: ignore[arg-type]

    def on_platform(self, request: HttpRequest) -> bool:
        """Whether this model has a page outside any tenant for this person; by default not."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By role."""
        return self._may(request, self.view_role) and self._is_ours(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """By role."""
        return self._may(request, self.add_role)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By role."""
        return self._may(request, self.change_role) and self._is_ours(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By role."""
        return self._may(request, self.delete_role) and self._is_ours(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whoever may see the list sees the entry."""
        return self.has_view_permission(request)

    def _is_ours(self, request: HttpRequest, obj: Any) -> bool:
        if obj is None or not hasattr(obj, "tenant_id"):
            return True
        tenant = seat_of(request).tenant
        return obj.tenant_id == (tenant.pk if tenant else None)

    # -- what Django's admin would do past the services ------------------------------------

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """Nothing: services write the audit."""

    log_change = log_addition
    log_deletion = log_addition

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        """Nothing: services write the audit."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Refused: every write goes through a service."""
        raise PermissionDenied

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Refused: every write goes through a service."""
        raise PermissionDenied

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Another tenant's object is not found, whatever the rights."""
        self.object_or_404(request, object_id)
        return super().delete_view(request, object_id, extra_context)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """None: the audit is the history."""
        raise Http404

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """No bulk actions: they would write past the services."""
        return {}

    # -- helpers -------------------------------------------------------------------------

    def url(self, page: str, *args: Any) -> str:
        """The URL of a page of this model: ``changelist``, ``add``, ``change``, ``delete`` or an own one."""
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_{page}"
        return reverse(name, args=args)

    def page(
        self, request: HttpRequest, template: str, status: int = 200, **context: Any
    ) -> TemplateResponse:
        """A page within the admin's frame."""
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        seat = seat_of(request)
        everything = {**self.admin_site.each_context(request), "opts": self.opts, "seat": seat, **context}
        return TemplateResponse(request, template, everything, status=status)


class ServiceAdmin(TenantScopedAdmin):
    """An admin whose add, change and delete pages are plain forms over services.

    Subclasses write :meth:`make_form`, :meth:`create`, :meth:`update` and :meth:`remove`.
    Whatever a service refuses (``SERVICE_ERRORS``) becomes a form error.
    """

    form_template = "portico/form.html"
    delete_template = "portico/delete.html"
    delete_notice = ""

    def make_form(self, request: HttpRequest, obj: Any | None) -> Form:
        """The form of the add page (``obj`` None) or of the change page, bound on POST."""
        raise Http404

    def create(self, request: HttpRequest, form: Any) -> Any:
        """Make the object through a service; return it, or a whole response."""
        raise PermissionDenied

    def update(self, request: HttpRequest, form: Any, obj: Any) -> Any:
        """Change the object through a service; return it, or a whole response."""
        raise PermissionDenied

    def remove(self, request: HttpRequest, obj: Any) -> None:
        """Delete the object through a service."""
        raise PermissionDenied

    def form_context(self, request: HttpRequest, obj: Any | None) -> dict[str, Any]:
        """More for the form's template."""
        return {}

    def after_save(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Where to go after a write; the list, unless overridden."""
        return HttpResponseRedirect(self.url("changelist"))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The add page and the change page."""
        obj = self.object_or_404(request, object_id) if object_id is not None else None
        writable = (
            self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)
        )
        if not writable and (obj is None or not self.has_view_permission(request, obj)):
            raise PermissionDenied
        if request.method == "POST":
            if not writable:
                raise PermissionDenied
            self.demand_same_tenant(request)
        form = self.make_form(request, obj)
        if not writable:
            for bound in form.fields.values():
                bound.disabled = True
        if request.method == "POST" and form.is_valid():
            saved = self.attempt(form, lambda: self._write(request, form, obj))
            if isinstance(saved, HttpResponse):
                return saved
            if saved is not None:
                verb = "Saved" if obj is not None else "Created"
                messages.success(request, f"{verb}: {saved}")
                return self.after_save(request, saved)
        context = {
            "title": str(obj) if obj is not None else f"Add {self.opts.verbose_name}",
            "form": form,
            "original": obj,
            "writable": writable,
            "deletable": obj is not None and self.has_delete_permission(request, obj),
            "delete_url": self.url("delete", obj.pk) if obj is not None else "",
            "list_url": self.url("changelist"),
            **self.form_context(request, obj),
            **(extra_context or {}),
        }
        status = 422 if request.method == "POST" else 200
        return self.page(request, self.form_template, status=status, **context)

    def _write(self, request: HttpRequest, form: Any, obj: Any | None) -> Any:
        return self.create(request, form) if obj is None else self.update(request, form, obj)

    @staticmethod
    def attempt(form: Any, work: Any) -> Any:
        """Run a service; its refusal becomes errors of the form and the result None."""
        try:
            return work()
        except SERVICE_ERRORS as error:
            add_errors(form, error)
        return None

    def demand_same_tenant(self, request: HttpRequest) -> None:
        """Refuse a form that was opened in another tenant than the one now chosen (two tabs)."""
        sent = request.POST.get(TENANT_FIELD)
        if sent is None:
            return
        tenant = seat_of(request).tenant
        if sent != (str(tenant.pk) if tenant else ""):
            raise PermissionDenied(
                "This page was opened in another tenant. Go back, reload it and try again."
            )

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask, then delete through the service."""
        obj = self.object_or_404(request, object_id)
        if not self.has_delete_permission(request, obj):
            raise PermissionDenied
        errors: list[str] = []
        if request.method == "POST":
            self.demand_same_tenant(request)
            name = str(obj)
            try:
                self.check_deletion(request, obj)
                self.remove(request, obj)
            except SERVICE_ERRORS as error:
                errors = error.messages if isinstance(error, ValidationError) else [str(error)]
            else:
                messages.success(request, f"Removed: {name}")
                return HttpResponseRedirect(self.after_delete_url(request))
        return self.page(
            request,
            self.delete_template,
            status=422 if errors else 200,
            title=f"Remove {obj}?",
            original=obj,
            errors=errors,
            notice=self.deletion_notice(request, obj),
            back_url=self.url("change", obj.pk),
            **(extra_context or {}),
        )

    def check_deletion(self, request: HttpRequest, obj: Any) -> None:
        """Raise a ValidationError to ask for more (a typed name, say)."""

    def deletion_notice(self, request: HttpRequest, obj: Any) -> str:
        """What deleting does, in a sentence."""
        return self.delete_notice

    def after_delete_url(self, request: HttpRequest) -> str:
        """Where to go when it is gone."""
        return self.url("changelist")


def _has_tenant(model: type[models.Model]) -> bool:
    return hasattr(model, "unscoped") and any(f.name == "tenant" for f in model._meta.get_fields())


__all__ = ["SERVICE_ERRORS", "Seat", "ServiceAdmin", "TenantScopedAdmin", "add_errors", "seat_of"]
