"""Confluence Data Center, which has version 1 of the API alone."""

from connectors.providers.confluence.data_center.speaking import LACKING, DataCenter

__all__ = ["LACKING", "DataCenter"]
