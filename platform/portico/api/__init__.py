"""The REST API under ``/api/v1/``: provisioning tenants and calling their tools from programs.

Views translate only: services of the rooms below decide, write and audit.
"""
