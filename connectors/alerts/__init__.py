"""Telling people and systems that a connection changed its state: webhooks and e-mail."""
