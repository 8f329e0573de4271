"""How MCP clients come in."""
