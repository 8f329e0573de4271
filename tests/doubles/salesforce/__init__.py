"""Salesforce, as far as a connector uses it."""

from tests.doubles.salesforce.double import LockedRow
from tests.doubles.salesforce.records import Salesforce

__all__ = ["LockedRow", "Salesforce"]
