"""Users of the platform: a superuser's pages, and the link with which a person sets a password."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.tokens import default_token_generator
from django.contrib.auth.views import PasswordResetConfirmView
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse, reverse_lazy
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from portico.admin.acting import actor_of, address_of
from portico.admin.base import ServiceAdmin
from portico.admin.current import seat_of
from portico.admin.forms import PorticoForm, dress
from portico.admin.links import absolute, link_page
from portico.admin.site import site
from portico.admin.user_services import record_password_change, user_create, user_update
from portico.mail import mail_link
from tenants.models import Membership
from tenants.principals import Actor

User = get_user_model()


class UserForm(PorticoForm):
    """A user; ``password`` only when it is made."""

    username = forms.CharField(max_length=150, label="User name")
    email = forms.EmailField(required=False, label="E-mail")
    first_name = forms.CharField(max_length=150, required=False)
    last_name = forms.CharField(max_length=150, required=False)
    is_active = forms.BooleanField(
        required=False,
        initial=True,
        label="Active",
        help_text="An inactive user has no access, whatever the keys.",
    )
    is_superuser = forms.BooleanField(
        required=False, label="Superuser", help_text="Runs the platform: every tenant, every user."
    )
    password = forms.CharField(
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Empty: make a password link for this person on the next page.",
    )


@admin.register(User, site=site)
class UserAdmin(ServiceAdmin):
    """Global, hence for superusers alone."""

    view_role = add_role = change_role = None
    form_template = "portico/user.html"
    list_display = ("username", "email", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("username", "email")
    ordering = ("username",)

    def get_queryset(self, request: HttpRequest) -> Any:
        """All users, for a superuser."""
        rows = User._default_manager.order_by("username")
        return rows if seat_of(request).is_superuser else rows.none()

    def on_platform(self, request: HttpRequest) -> bool:
        """Users are the platform's."""
        return seat_of(request).is_superuser

    def get_urls(self) -> list[URLPattern]:
        """Password links beside Django's pages."""
        return [
            path(
                "<path:object_id>/password-link/",
                self.admin_site.admin_view(self.password_link_view),
                name="auth_user_password_link",
            ),
            *super().get_urls(),
        ]

    def make_form(self, request: HttpRequest, obj: Any | None) -> UserForm:
        """Bound on POST."""
        data = request.POST if request.method == "POST" else None
        if obj is None:
            return UserForm(data)
        form = UserForm(
            data, initial={name: getattr(obj, name) for name in UserForm.base_fields if name != "password"}
        )
        del form.fields["password"]
        return form

    def form_context(self, request: HttpRequest, obj: Any | None) -> dict[str, Any]:
        """The tenants of a user."""
        if obj is None:
            return {}
        memberships = Membership.unscoped.filter(user=obj).select_related("tenant").order_by("tenant__slug")
        return {"memberships": memberships, "link_url": self.url("password_link", obj.pk)}

    def create(self, request: HttpRequest, form: Any) -> Any:
        """Make the user."""
        return user_create(actor=actor_of(request), **form.cleaned_data)

    def update(self, request: HttpRequest, form: Any, obj: Any) -> Any:
        """Change the user."""
        return user_update(user=obj, actor=actor_of(request), **form.cleaned_data)

    def password_link_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make a link with which the person sets a password (POST)."""
        obj = self.object_or_404(request, object_id)
        if request.method != "POST" or not self.has_change_permission(request, obj):
            raise PermissionDenied
        token = default_token_generator.make_token(obj)
        uid = urlsafe_base64_encode(force_bytes(obj.pk))
        link = absolute(reverse("admin:password_link", args=[uid, token]))
        mailed = mail_link(
            obj.email,
            subject="Your Portico password",
            sentence="Set your password with this link:",
            link=link,
        )
        until = "It works once, for three days, until the next sign-in."
        intro = (
            f"The link was mailed to {obj.email}. {until}"
            if mailed
            else f"Send this link to the person. {until}"
        )
        title = f"Password link for {obj.get_username()}"
        return link_page(self, request, title, intro, "" if mailed else link, self.url("change", obj.pk))


class PasswordLinkView(PasswordResetConfirmView):
    """Setting a password through a link that a superuser made."""

    template_name = "portico/password.html"
    success_url = reverse_lazy("admin:login")

    def get_form(self, form_class: Any = None) -> Any:
        """In the admin's look."""
        form = super().get_form(form_class)
        dress(form)
        return form

    def form_valid(self, form: Any) -> HttpResponse:
        """Store, and write that it was done."""
        user: Any = form.user
        actor = Actor(id=str(user.pk), name=user.get_username(), address=address_of(self.request), via="link")
        with transaction.atomic():
            response = super().form_valid(form)
            record_password_change(user, actor)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With the site's frame."""
        return {**site.each_context(self.request), **super().get_context_data(**kwargs)}
