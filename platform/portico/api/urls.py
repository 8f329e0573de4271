"""The API's addresses, and the older names that existing clients use."""

from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from portico.api import (
    alerts,
    audit,
    breakers,
    cache,
    clients,
    connections,
    connector_types,
    credentials,
    endpoints,
    health,
    invitations,
    keys,
    limits,
    members,
    metrics,
    permissions,
    status,
    switches,
    tenants,
    tools,
    usage,
    warm_ups,
)

TENANT = "tenants/<slug:slug>/"
CONNECTION = f"{TENANT}connections/<slug:name>/"

v1 = [
    path("health", health.Health.as_view()),
    path("metrics", metrics.Metrics.as_view()),
    path("status/<slug:connection>", status.ConnectionStatus.as_view()),
    path("cache/clear", cache.CacheClear.as_view()),
    path("connector-types", connector_types.ConnectorTypes.as_view()),
    path("connector-types/<slug:connector>", connector_types.ConnectorType.as_view()),
    path("tenants", tenants.Tenants.as_view()),
    path("tenants/<slug:slug>", tenants.TenantDetail.as_view()),
    re_path(r"^tenants/(?P<slug>[-a-zA-Z0-9_]+)/(?P<action>suspend|resume)$", tenants.TenantState.as_view()),
    path(f"{TENANT}memberships", members.Memberships.as_view()),
    path(f"{TENANT}memberships/<uuid:pk>", members.MembershipDetail.as_view()),
    path(f"{TENANT}service-accounts", members.ServiceAccounts.as_view()),
    path(f"{TENANT}service-accounts/<uuid:pk>", members.ServiceAccountDetail.as_view()),
    path(f"{TENANT}invitations", invitations.Invitations.as_view()),
    path(f"{TENANT}invitations/<uuid:pk>", invitations.InvitationDetail.as_view()),
    path(f"{TENANT}permissions", permissions.Permissions.as_view()),
    path(f"{TENANT}permissions/<slug:role>", permissions.PermissionDetail.as_view()),
    path(f"{TENANT}access-keys", keys.AccessKeys.as_view()),
    path(f"{TENANT}access-keys/<slug:pk>", keys.AccessKeyDetail.as_view()),
    path(f"{TENANT}connections", connections.Connections.as_view()),
    path(CONNECTION.rstrip("/"), connections.ConnectionDetail.as_view()),
    path(f"{CONNECTION}check", connections.ConnectionCheck.as_view()),
    path(f"{CONNECTION}breaker/reset", breakers.BreakerReset.as_view()),
    path(f"{CONNECTION}credential", credentials.Credential.as_view()),
    path(f"{CONNECTION}tools", switches.ConnectionTools.as_view()),
    path(f"{CONNECTION}health", status.ConnectionHistory.as_view()),
    re_path(
        r"^tenants/(?P<slug>[-a-zA-Z0-9_]+)/connections/(?P<name>[-a-zA-Z0-9_]+)/"
        r"(?P<kind>tools|toolsets)/(?P<target>\w+)$",
        switches.ToolSwitchDetail.as_view(),
    ),
    path(f"{TENANT}clients", clients.Clients.as_view()),
    path(f"{TENANT}endpoints", endpoints.Endpoints.as_view()),
    path(f"{TENANT}endpoints/<slug:endpoint>", endpoints.EndpointDetail.as_view()),
    path(f"{TENANT}alert-targets", alerts.AlertTargets.as_view()),
    path(f"{TENANT}alert-targets/<uuid:pk>", alerts.AlertTargetDetail.as_view()),
    path(f"{TENANT}alert-targets/<uuid:pk>/secret", alerts.AlertTargetSecret.as_view()),
    path(f"{TENANT}alert-targets/<uuid:pk>/test", alerts.AlertTargetTest.as_view()),
    path(f"{TENANT}alert-targets/<uuid:pk>/deliveries", alerts.AlertTargetDeliveries.as_view()),
    path(f"{TENANT}limits", limits.Limits.as_view()),
    path(f"{TENANT}limits/<uuid:pk>", limits.LimitDetail.as_view()),
    path(f"{TENANT}warm-ups", warm_ups.WarmUps.as_view()),
    path(f"{TENANT}warm-ups/<uuid:pk>", warm_ups.WarmUpDetail.as_view()),
    path(f"{TENANT}warm-ups/<uuid:pk>/run", warm_ups.WarmUpRun.as_view()),
    path(f"{TENANT}usage", usage.Usage.as_view()),
    path(f"{TENANT}audit", audit.Audit.as_view()),
    path(f"{TENANT}audit/export", audit.AuditExport.as_view()),
    path(f"{TENANT}tools", tools.Tools.as_view()),
    path(f"{TENANT}call-tool", tools.CallTool.as_view()),
    path("call-tool", tools.CallTool.as_view(schema=None)),
    path("schema", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs", SpectacularSwaggerView.as_view(url_name="api-schema"), name="api-docs"),
]


def without_slash(request: HttpRequest, version: str, rest: str) -> HttpResponsePermanentRedirect:
    """The address without its last slash; 308 keeps the method and the body."""
    address, mark, query = request.get_full_path().partition("?")
    response = HttpResponsePermanentRedirect(address.rstrip("/") + mark + query)
    response.status_code = 308
    return response


aliases = [
    path("call-tool", tools.CallTool.as_view(schema=None)),
    path("health", health.Health.as_view(schema=None)),
]

urlpatterns = [
    path("v1/", include(v1)),
    *aliases,
    re_path(r"^(?P<version>v1/)?(?P<rest>.+)/$", without_slash),
]
