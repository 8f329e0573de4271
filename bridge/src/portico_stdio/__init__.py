"""A bridge between an MCP client that speaks stdio and a remote tenant of Portico."""

__version__ = "0.1.0"
