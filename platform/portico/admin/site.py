"""The admin's site: who may enter, the switcher, the side bar, and the doors that stay shut."""

from functools import wraps
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from unfold.sites import UnfoldAdminSite

from portico.admin.current import PLATFORM, choose_tenant, memberships_of, seat_of
from tenants.models import Tenant

# Pages of Django's and Unfold's that look past the current tenant, or that we do without.
_SHUT = {"search", "autocomplete", "view_on_site"}

SUPERUSER = "superuser"
NAVIGATION: list[tuple[str, list[tuple[str, str, str, str]]]] = [
    # (group, [(title, icon, URL name, model label whose view right is needed, or "")])
    ("", [("Home", "home", "index", "")]),
    (
        "Tools",
        [
            ("Connections", "cable", "connectors_connection_changelist", "connectors.connection"),
            ("Limits", "speed", "connectors_usagelimit_changelist", "connectors.usagelimit"),
            ("Warm-ups", "local_fire_department", "connectors_warmup_changelist", "connectors.warmup"),
            ("Alerts", "notifications", "connectors_alerttarget_changelist", "connectors.alerttarget"),
            (
                "Permissions",
                "shield_lock",
                "connectors_toolpermission_changelist",
                "connectors.toolpermission",
            ),
        ],
    ),
    (
        "Access",
        [
            ("Members", "group", "tenants_membership_changelist", "tenants.membership"),
            ("Invitations", "mail", "tenants_invitation_changelist", "tenants.invitation"),
            ("Service accounts", "smart_toy", "tenants_serviceaccount_changelist", "tenants.serviceaccount"),
            ("Access keys", "key", "tenants_accesskey_changelist", "tenants.accesskey"),
        ],
    ),
    (
        "Records",
        [
            ("This tenant", "tune", "tenants_tenant_change", "tenants.tenant"),
            ("Usage", "bar_chart", "connectors_usageday_changelist", "connectors.usageday"),
            ("Audit", "receipt_long", "audit_auditevent_changelist", "audit.auditevent"),
        ],
    ),
    (
        "Platform",
        [
            ("Tenants", "apartment", "tenants_tenant_changelist", SUPERUSER),
            ("Users", "person", "auth_user_changelist", "auth.user"),
        ],
    ),
]


class PorticoAdminSite(UnfoldAdminSite):
    """Open to superusers and to every active user who belongs to a tenant."""

    site_title = "Portico"
    site_header = "Portico"
    index_template = "portico/home.html"
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        """An active superuser, or an active member of at least one tenant that is open to them."""
        user = request.user
        if not user.is_active or not user.is_authenticated:
            return False
        return user.is_superuser or seat_of(request).tenant is not None

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Django's; a tenant's page that a superuser opens on the platform says what is missing."""

        @wraps(view)
        def told(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            try:
                return view(request, *args, **kwargs)
            except PermissionDenied as refusal:
                if refusal.args or seat_of(request).tenant is not None:
                    raise
                raise PermissionDenied(
                    "This page belongs to a tenant, and none is chosen. Choose one on the home page, then open this"
                    " page again."
                ) from None

        return super().admin_view(told, cacheable)

    @property
    def login_form(self) -> Any:  # type: ignore[override]
        """Unfold's look over a form that lets members in who are not staff."""
        from portico.admin.forms import SignInForm

        return SignInForm

    @login_form.setter
    def login_form(self, value: Any) -> None:
        """Ignored: Unfold sets its own, which admits staff alone."""

    def get_urls(self) -> list[URLPattern]:
        """Django's and Unfold's, without the doors that are shut, and ours."""
        from portico.admin.invitation import accept_invitation
        from portico.admin.users import PasswordLinkView

        own = [
            path("tenant/", self.admin_view(self.switch_tenant), name="switch_tenant"),
            path("search/", self.admin_view(self.search), name="search"),
            path("invitation/<str:token>/", accept_invitation, name="accept_invitation"),
            path("password/<uidb64>/<token>/", PasswordLinkView.as_view(), name="password_link"),
        ]
        rest = [found for found in super().get_urls() if getattr(found, "name", None) not in _SHUT]
        return own + rest

    def search(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Shut: Unfold's search remembers answers across tenants."""
        raise Http404

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """A person's own password; the change is written to the platform's chain."""
        from portico.admin.acting import actor_of
        from portico.admin.user_services import record_password_change

        with transaction.atomic():
            response = super().password_change(request, extra_context)
            if request.method == "POST" and response.status_code == 302:
                record_password_change(request.user, actor_of(request))
        return response

    def switch_tenant(self, request: HttpRequest) -> HttpResponse:
        """Move to another tenant (``tenant``: its id, or ``platform``)."""
        if request.method != "POST":
            return HttpResponseRedirect(reverse("admin:index"))
        if choose_tenant(request, request.POST.get("tenant", "")) is None:
            messages.error(request, "You do not belong to that tenant.")
        else:
            from portico.admin.signins import record_entry

            record_entry(request)
        return HttpResponseRedirect(reverse("admin:index"))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The home page: of the current tenant, or of the platform."""
        from portico.admin.home import home_context

        request.current_app = self.name  # type: ignore[attr-defined]
        context = {**self.each_context(request), "title": "Home", **home_context(request)}
        return TemplateResponse(request, self.index_template, {**context, **(extra_context or {})})

    def app_index(self, request: HttpRequest, app_label: str, extra_context: Any = None) -> Any:
        """The side bar is the index: go home."""
        return HttpResponseRedirect(reverse(f"{self.name}:index"))

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Unfold's, with the seat and the tenants one may switch to."""
        context = super().each_context(request)
        if not self.has_permission(request):
            return context
        seat = seat_of(request)
        context.update(
            seat=seat,
            switcher=self.switcher(request),
            platform_value=PLATFORM,
            available_apps=[],
            templates={"navigation": "portico/navigation.html"},
        )
        return context

    def switcher(self, request: HttpRequest) -> list[dict[str, Any]]:
        """The tenants this person may move to: ``id``, ``name``, ``slug``, ``suspended``, ``current``."""
        seat = seat_of(request)
        if seat.is_superuser:
            tenants = list(Tenant.objects.order_by("slug")[:500])
        else:
            tenants = [row.tenant for row in memberships_of(request.user)]
        return [
            {
                "id": str(tenant.pk),
                "name": tenant.name,
                "slug": tenant.slug,
                "suspended": tenant.status == Tenant.Status.SUSPENDED,
                "current": seat.tenant is not None and tenant.pk == seat.tenant.pk,
            }
            for tenant in tenants
        ]

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        """The side bar: what this person may see and nothing else."""
        admins = {model._meta.label_lower: admin for model, admin in self._registry.items()}
        seat = seat_of(request)
        own = str(seat.tenant.pk) if seat.tenant else None
        groups = []
        for title, entries in NAVIGATION:
            items = []
            for label, icon, name, needed in entries:
                if needed == SUPERUSER and not seat.is_superuser:
                    continue
                known = needed in ("", SUPERUSER) or needed in admins
                if not known or (needed in admins and not admins[needed].has_view_permission(request)):
                    continue
                own_page = name.endswith("_change")
                if own_page and seat.tenant is None:
                    continue
                try:
                    args = [seat.tenant.pk] if own_page and seat.tenant else []
                    link = reverse(f"{self.name}:{name}", args=args)
                except NoReverseMatch:
                    continue
                active = request.path == link if name == "index" else request.path.startswith(link)
                if name == "tenants_tenant_changelist" and own and f"/{own}/" in request.path:
                    active = False
                items.append(
                    {"title": label, "icon": icon, "link": link, "active": active, "has_permission": True}
                )
            if items:
                groups.append({"title": title, "items": items, "separator": bool(title)})
        return groups


site = PorticoAdminSite(name="admin")
