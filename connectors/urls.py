"""URLs of files that tools made, and of connectors' icons."""

from django.urls import path

from connectors.icons import icon
from connectors.views import download

urlpatterns = [
    path("t/<slug:slug>/files/<uuid:file_id>", download, name="file"),
    path("connectors/<str:connector>/icon.svg", icon, name="icon"),
]
