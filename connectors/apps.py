"""The app of connections; tells the room below what to clean up when a tenant goes."""

from django.apps import AppConfig


class ConnectorsApp(AppConfig):
    """Label and path of the app."""

    name = "connectors"

    def ready(self) -> None:
        """Have connections release what they keep outside the database when their tenant is deleted."""
        from connectors.services import release_tenant
        from tenants.services import on_tenant_delete

        on_tenant_delete(release_tenant)
