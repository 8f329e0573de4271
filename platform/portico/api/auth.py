"""Who calls the API: an access key, an API token, a signed-in user, or a name with a password.

All of them end as one :class:`Access`, which alone answers which tenants may be reached and
with which role. A tenant that is absent or not the caller's answers 404, always the same.
"""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from common.limits import take
from portico.api.errors import Problem
from tenants.access import AccessDenied, authenticate_blocking, client_address
from tenants.models import AccessKey, ApiToken, Tenant
from tenants.principals import Actor, Caller, Role
from tenants.selectors import caller_of, membership_of, tenants_of
from tenants.services.tokens import api_token_find

SAFE = ("GET", "HEAD", "OPTIONS")
HOW = (
    "Send an access key or an API token as 'Authorization: Bearer …', "
    "or a user name and password with HTTP Basic."
)


@dataclass(frozen=True, slots=True)
class Access:
    """An authenticated caller of the API: a key's caller, or a user, perhaps through a token."""

    actor: Actor
    caller: Caller | None = None
    user: Any = None
    token: ApiToken | None = None

    @property
    def owner(self) -> str:
        """Whose idempotency keys these are."""
        if self.caller is not None:
            return f"principal:{self.caller.principal_id}"
        return f"user:{self.user.pk}"

    @property
    def is_platform(self) -> bool:
        """Whether the caller may configure the whole platform."""
        return self.user is not None and self.user.is_superuser and not self._limited

    @property
    def _limited(self) -> bool:
        return self.token is not None and self.token.tenants.exists()

    def tenants(self) -> Any:
        """The tenants that the caller may see."""
        if self.caller is not None:
            return Tenant.objects.filter(pk=self.caller.tenant.id)
        seen = tenants_of(self.user)
        if self._limited:
            assert self.token is not None
            seen = seen.filter(pk__in=self.token.tenants.values("pk"))
        return seen

    def tenant(self, slug: str, at_least: Role = Role.VIEWER) -> Tenant:
        """A tenant of the caller. Raises Http404 for strangers and 403 for too small a role."""
        tenant: Tenant | None = self.tenants().filter(slug=slug).first()
        if tenant is None:
            raise Http404
        role = self.role_in(tenant)
        if role is None or role.rank < at_least.rank:
            raise Problem(
                403, "Not allowed", f"This needs the role {at_least.value} in {slug}.", code="not_allowed"
            )
        return tenant

    def role_in(self, tenant: Tenant) -> Role | None:
        """The caller's standing; superusers configure like owners."""
        if self.caller is not None:
            # A key that was narrowed is for tools; it does not administrate.
            narrowed = self.caller.rights.read_only or self.caller.rights.allow or self.caller.rights.deny
            return (
                min(self.caller.role, Role.OPERATOR, key=lambda r: r.rank) if narrowed else self.caller.role
            )
        if self.user.is_superuser:
            return Role.OWNER
        member = membership_of(self.user, tenant)
        return Role(member.role) if member else None

    def caller_in(self, tenant: Tenant) -> Caller:
        """Who calls a tool: superusers who are no members call none."""
        if self.caller is not None:
            return self.caller
        member = membership_of(self.user, tenant)
        if member is None:
            raise Problem(
                403, "Not allowed", "Only members of a tenant call its tools; use one of its access keys."
            )
        return caller_of(member, address=self.actor.address, via="api")


def access_of(request: Request | HttpRequest) -> Access:
    """The caller of an authenticated request."""
    found = getattr(request, "auth", None)
    if not isinstance(found, Access):
        raise exceptions.NotAuthenticated(HOW)
    return found


def address_of(request: Any) -> str:
    """The client's address, believing only proxies that are named."""
    return client_address(request.META.get("REMOTE_ADDR", ""), request.headers.get("X-Forwarded-For"))


def _user_access(request: Any, user: Any, token: ApiToken | None = None) -> Access:
    actor = Actor(id=str(user.pk), name=user.get_username(), address=address_of(request), via="api")
    return Access(actor, user=user, token=token)


class BearerAuthentication(authentication.BaseAuthentication):
    """``Authorization: Bearer`` with an access key (``ptc_``) or an API token (``pta_``)."""

    def authenticate(self, request: Request) -> tuple[Any, Access] | None:
        """The access behind the header; None where there is no bearer."""
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        secret = secret.strip()
        if secret.startswith("pta_"):
            token = api_token_find(secret)
            if token is None:
                raise exceptions.AuthenticationFailed(HOW)
            if token.read_only and request.method not in SAFE:
                raise Problem(403, "Not allowed", "This API token only reads.", code="read_only")
            return token.user, _user_access(request, token.user, token)
        return self._key(request, secret)

    def _key(self, request: Request, secret: str) -> tuple[Any, Access]:
        # The key names its own tenant here; the path is checked against it by Access.tenant.
        key_id = secret.removeprefix("ptc_").partition("_")[0]
        slug = (
            AccessKey.unscoped.filter(pk=key_id).values_list("tenant__slug", flat=True).first()
            if len(key_id) == 12 and key_id.isascii() and key_id.isalnum()
            else None
        )
        try:
            caller = authenticate_blocking(slug or "-", secret, address=address_of(request), via="api")
        except AccessDenied as denied:
            raise exceptions.AuthenticationFailed(HOW) from denied
        actor = Actor(
            id=str(caller.principal_id), name=caller.principal_name, address=caller.address, via="api"
        )
        return AnonymousUser(), Access(actor, caller=caller)

    def authenticate_header(self, request: Request) -> str:
        """The challenge of a 401."""
        return "Bearer"


class BasicAuthentication(authentication.BasicAuthentication):
    """A user name and password, for scripts without a token."""

    def authenticate(self, request: Request) -> Any:
        """The user; at most 60 a minute from one address, since hashing a password is slow by design."""
        if not request.headers.get("Authorization", "").lower().startswith("basic "):
            return None
        if wait := take(60, 60, "password", address_of(request)):
            raise exceptions.Throttled(wait)
        return super().authenticate(request)

    def authenticate_credentials(self, userid: str, password: str, request: Any = None) -> Any:
        """As DRF's; failed attempts are audited by the sign-in signals."""
        user, _ = super().authenticate_credentials(userid, password, request)
        return user, _user_access(request, user)


class SessionAuthentication(authentication.SessionAuthentication):
    """A person who is signed in to the admin (with CSRF protection)."""

    def authenticate(self, request: Request) -> Any:
        """The session's user."""
        found = super().authenticate(request)
        return found if found is None else (found[0], _user_access(request, found[0]))


class IsAuthenticated(BasePermission):
    """Everybody with an :class:`Access`; what they may do is asked per tenant."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether authentication succeeded."""
        return isinstance(request.auth, Access)


class _BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[misc]
    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """How the OpenAPI document shows it."""
        return {"type": "http", "scheme": "bearer", "description": "An access key or an API token."}


class _BasicScheme(OpenApiAuthenticationExtension):  # type: ignore[misc]
    target_class = BasicAuthentication
    name = "basic"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """How the OpenAPI document shows it."""
        return {"type": "http", "scheme": "basic"}


class _SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[misc]
    target_class = SessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """How the OpenAPI document shows it."""
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
