"""Absolute links into the admin, and the page that shows one once."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse


def absolute(path: str) -> str:
    """A path of ours (with the site's prefix already in it) as a URL, from the configured public URL."""
    public = urlsplit(settings.PORTICO_PUBLIC_URL)
    return f"{public.scheme}://{public.netloc}{path}"


def link_page(
    admin: Any, request: HttpRequest, title: str, intro: str, link: str, back_url: str = ""
) -> HttpResponse:
    """A page that shows a secret link (empty: it was mailed) and is kept by no cache."""
    back_url = back_url or admin.url("changelist")
    response: HttpResponse = admin.page(
        request, "portico/link.html", title=title, intro=intro, link=link, back_url=back_url
    )
    response.headers["Cache-Control"] = "no-store"
    return response
