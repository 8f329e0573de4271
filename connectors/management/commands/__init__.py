"""import_env and connector_docs."""
