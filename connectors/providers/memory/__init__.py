"""Memory: what agents remember between calls, in Redis."""
