"""Ready-to-paste configuration of MCP clients, with or without an access key in it."""

from portico.access import mcp_url
from portico.client_config import client_configurations as _pairs

PLACEHOLDER = "<access key>"


def client_configurations(slug: str, url: str, secret: str = PLACEHOLDER) -> list[dict[str, str]]:
    """For each client ``id``, ``title``, ``where`` (what to do with it) and ``text``."""
    found = []
    for number, (described, text) in enumerate(_pairs(f"portico-{slug}", url, secret)):
        title, _, where = described.partition(" (")
        found.append(
            {"id": str(number), "title": title, "where": where.rstrip(")").capitalize(), "text": text}
        )
    return found


__all__ = ["client_configurations", "mcp_url"]
