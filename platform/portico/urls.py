"""Where each URL of the site leads."""

from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from portico.admin import site
from portico.connect import connect
from portico.health import healthz, readyz
from portico.metrics import prometheus

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("healthz", healthz, name="healthz"),
    path("health", healthz),
    path("readyz", readyz, name="readyz"),
    path("metrics", prometheus, name="metrics"),
    path("", include("mcp_endpoint.urls")),
    path("", include("connectors.urls")),
    path("api/", include("portico.api.urls")),
    path("t/<slug:slug>/connect/<slug:name>/", connect, name="connect"),
    path("admin/", site.urls),
]
