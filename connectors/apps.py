"""The app of connections; tells the rooms below what to do for it when something goes."""

from django.apps import AppConfig


class ConnectorsApp(AppConfig):
    """Label and path of the app."""

    name = "connectors"

    def ready(self) -> None:
        """Release what connections keep elsewhere when their tenant is deleted; count events before they go."""
        from audit.retention import before_removal
        from connectors.services import release_tenant
        from connectors.usage import roll_up
        from tenants.services import on_tenant_delete

        on_tenant_delete(release_tenant)
        before_removal(roll_up)
