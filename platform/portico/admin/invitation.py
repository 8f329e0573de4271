"""Accepting an invitation: a page for people who may not have a user yet."""

from typing import Any

from django import forms
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect

from portico.admin.acting import address_of
from portico.admin.base import SERVICE_ERRORS, add_errors
from portico.admin.current import choose_tenant
from portico.admin.forms import PorticoForm
from tenants.services import invitation_accept, invitation_accept_new
from tenants.services.invitations import invitation_find

_BACKEND = "django.contrib.auth.backends.ModelBackend"


class JoinForm(PorticoForm):
    """A new user."""

    username = forms.CharField(max_length=150, label="User name")
    password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        strip=False,
        help_text="8 characters or more.",
    )
    again = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        strip=False,
        label="Password again",
    )

    def clean(self) -> dict[str, Any]:
        """Both passwords are the same."""
        values = super().clean() or {}
        if values.get("password") and values.get("again") and values["password"] != values["again"]:
            self.add_error("again", "The two passwords differ.")
        return values


@never_cache
@csrf_protect
def accept_invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Show who invites and take the answer; a link that is spent says no more than that."""
    from portico.admin.site import site

    context: dict[str, Any] = {**site.each_context(request), "title": "Invitation"}
    try:
        invitation = invitation_find(token)
    except SERVICE_ERRORS as error:
        return TemplateResponse(
            request, "portico/invitation.html", {**context, "refusal": str(error)}, status=404
        )
    signed_in = request.user.is_authenticated and request.user.is_active
    form = JoinForm(request.POST if request.method == "POST" and not signed_in else None)
    if request.method == "POST" and (signed_in or form.is_valid()):
        try:
            member = _join(request, token, form, signed_in)
        except SERVICE_ERRORS as error:
            add_errors(form, error) if not signed_in else None
            context["refusal"] = str(error) if signed_in else ""
        else:
            choose_tenant(request, str(member.tenant_id))
            return HttpResponseRedirect(reverse("admin:index"))
    context |= {"invitation": invitation, "form": form, "signed_in": signed_in}
    return TemplateResponse(request, "portico/invitation.html", context)


def _join(request: HttpRequest, token: str, form: JoinForm, signed_in: bool) -> Any:
    address = address_of(request)
    if signed_in:
        return invitation_accept(token=token, user=request.user, address=address)
    values = form.cleaned_data
    member = invitation_accept_new(
        token=token, username=values["username"], password=values["password"], address=address
    )
    login(request, member.user, backend=_BACKEND)
    return member
