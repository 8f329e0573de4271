"""What can be reached: the connector contract and the one way to call a tool."""
