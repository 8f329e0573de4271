"""quickstart and doctor."""
