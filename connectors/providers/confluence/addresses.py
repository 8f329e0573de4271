"""Pages by the addresses that people paste."""

import re
from typing import Final
from urllib.parse import parse_qs, unquote_plus, urlsplit

from connectors.errors import InvalidInput
from connectors.providers.confluence.types import SPACE_KEY

_HINT: Final = "Give the full address with /pages/<id>; short links have to be opened in a browser first."
_DISPLAY: Final = re.compile(r"/display/([^/]+)/([^/]+)/?$")
_PAGE_ID: Final = re.compile(
    r"/(?:pages/(?:edit-v2/)?|blog/(?:[0-9]{4}/[0-9]{2}/[0-9]{2}/)?(?=[0-9]{5}))([0-9]{1,19})(?:/|$)|[?&]pageId=([0-9]{1,19})(?:&|$)"
)


def named_in(site: str, url: str) -> tuple[str | None, str | None, str | None]:
    """What an address of this site names a page by: its id, or its space and title. Raises InvalidInput."""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
    except ValueError:
        raise InvalidInput("This is no address.", hint=_HINT) from None
    if parts.netloc.lower() != urlsplit(site).netloc:
        raise InvalidInput(f"The address is not one of {site}.", code="other_site")
    if found := _PAGE_ID.search(url):
        return found[1] or found[2], None, None
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if found := _DISPLAY.search(parts.path):  # a Data Center's
        asked = {"spaceKey": unquote_plus(found[1]), "title": unquote_plus(found[2])}
    if re.fullmatch(SPACE_KEY.strip("^$"), asked.get("spaceKey", "")) and asked.get("title"):
        return None, asked["spaceKey"], asked["title"]
    raise InvalidInput(
        "The address names no page.",
        hint=_HINT,
    )
