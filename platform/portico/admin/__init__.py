"""The admin: the top layer's pages for people (see docs/concepts)."""
