"""Where each URL of the site leads."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, path
from django.views.generic import RedirectView

from portico.health import healthz, readyz

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("healthz", healthz, name="healthz"),
    path("health", healthz),
    path("readyz", readyz, name="readyz"),
    path("admin/", admin.site.urls),
]
