"""Operators' commands on the endpoint."""
