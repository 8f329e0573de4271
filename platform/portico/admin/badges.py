"""Small pieces of HTML that lists show."""

from django.utils.html import format_html
from django.utils.safestring import SafeString


def badge(text: str, colour: str = "") -> SafeString:
    """A coloured label; ``colour`` is ok, bad, warn, info or nothing."""
    return format_html('<span class="ptc-badge {}">{}</span>', f"ptc-{colour}" if colour else "", text)
