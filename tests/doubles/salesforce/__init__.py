"""Salesforce, as far as a connector uses it."""

from tests.doubles.salesforce.around import Salesforce
from tests.doubles.salesforce.double import LockedRow, TooManyAtOnce

__all__ = ["LockedRow", "Salesforce", "TooManyAtOnce"]
