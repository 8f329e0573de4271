"""The project as an app: it holds the commands and the system checks of the whole."""

from django.apps import AppConfig


class PorticoConfig(AppConfig):
    """Registers the checks when Django starts."""

    name = "portico"

    def ready(self) -> None:
        """Register the system checks and make this process's Celery application the current one."""
        from portico import celery, checks  # noqa: F401
