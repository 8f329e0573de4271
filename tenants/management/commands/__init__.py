"""Operators' commands on tenants."""
