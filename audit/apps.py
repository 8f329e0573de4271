"""The audit's place in Django: its handler joins the process's writer."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Registers the chain writer and the flush of counted events."""

    name = "audit"
    verbose_name = "Audit"

    def ready(self) -> None:
        """Join the writer; nothing touches the database here."""
        from audit.chain import find_rows, write_alone, write_rows
        from audit.failures import failures
        from common.writer import writer

        writer.register("audit", write_rows, order=100, alone=write_alone, find=find_rows)
        writer.before_stop(failures.flush)
