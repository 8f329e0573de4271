"""The one way to call a tool, read a resource or get a prompt (see docs/architecture)."""
