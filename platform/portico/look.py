"""How the admin looks: the options of django-unfold."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static


def _style(request: HttpRequest) -> str:
    return static("portico/admin.css")


def _script(request: HttpRequest) -> str:
    return static("portico/admin.js")


def _icon(request: HttpRequest) -> str:
    return static("portico/icon.svg")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Portico",
    "SITE_HEADER": "Portico",
    "SITE_URL": None,
    "SITE_SYMBOL": "account_balance",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _icon}],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [_style],
    "SCRIPTS": [_script],
    "BORDER_RADIUS": "8px",
    "COLORS": {
        "primary": {
            "50": "oklch(97.2% .014 200)",
            "100": "oklch(94% .035 200)",
            "200": "oklch(88.5% .06 202)",
            "300": "oklch(80% .09 205)",
            "400": "oklch(69% .1 210)",
            "500": "oklch(58% .1 214)",
            "600": "oklch(49% .09 216)",
            "700": "oklch(42.5% .078 217)",
            "800": "oklch(37% .066 218)",
            "900": "oklch(32.5% .055 219)",
            "950": "oklch(24% .045 221)",
        },
    },
}
