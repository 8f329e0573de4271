"""Absolute links into the admin."""

from urllib.parse import urlsplit

from django.conf import settings


def absolute(path: str) -> str:
    """A path of ours (with the site's prefix already in it) as a URL, from the configured public URL."""
    public = urlsplit(settings.PORTICO_PUBLIC_URL)
    return f"{public.scheme}://{public.netloc}{path}"
