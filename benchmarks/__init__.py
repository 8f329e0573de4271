"""What a call costs, measured beside the MCP SDK's own bare application in the same run."""
