"""Taking secrets out of text that goes into a log, whatever wrote it."""

import re

# Access keys and API tokens keep their public id; whatever follows an Authorization name goes.
_ACCESS_KEY = re.compile(r"(pt[ac]_[0-9A-Za-z]{1,32}_)[0-9A-Za-z_-]+")
_AUTHORIZATION = re.compile(
    r"""((?:proxy-)?authorization['"]?\s*[:=,]\s*(?-i:b(?=['"]))?['"]?)(?:(?:bearer|basic|digest)\s+)?[^\s'",;)\]}]+""",
    re.I,
)
_BEARER = re.compile(r"\b(bearer\s+)[0-9A-Za-z._~+/=-]{8,}", re.I)
_URL_PASSWORD = re.compile(r"([a-z][a-z0-9+]{1,20}://[^\s:/@]*:)[^\s/@]+@", re.I)
# The token of a link that lets somebody in: /admin/invitation/<token>/, /admin/password/<user>/<token>/.
_LINK = re.compile(r"(/(?:invitation|password/[0-9A-Za-z_-]{1,64})/)[0-9A-Za-z._~:-]{8,}")


def masked(text: str) -> str:
    """The text without access keys, Authorization values, passwords in URLs and tokens of links."""
    if "ptc_" in text or "pta_" in text:
        text = _ACCESS_KEY.sub(r"\1***", text)
    if "uth" in text or "earer" in text or "UTH" in text or "EARER" in text:
        text = _AUTHORIZATION.sub(r"\1***", text)
        text = _BEARER.sub(r"\1***", text)
    if "://" in text:
        text = _URL_PASSWORD.sub(r"\1***@", text)
    if "/invitation/" in text or "/password/" in text:
        text = _LINK.sub(r"\1***", text)
    return text
