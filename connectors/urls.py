"""URLs of files that tools made."""

from django.urls import path

from connectors.views import download

urlpatterns = [path("t/<slug:slug>/files/<uuid:file_id>", download, name="file")]
