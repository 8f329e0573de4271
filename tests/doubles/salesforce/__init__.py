"""Salesforce, as far as a connector uses it."""

from tests.doubles.salesforce.double import LockedRow, Salesforce

__all__ = ["LockedRow", "Salesforce"]
