"""Who: tenants, principals, keys and authentication."""
