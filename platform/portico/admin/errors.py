"""What services refuse with, as errors of a form."""

import re
from typing import Any

from django.core.exceptions import ValidationError

from connectors.errors import ConnectorError
from tenants.errors import TenantError

# What services refuse with: a sentence for people, perhaps with the field at fault.
SERVICE_ERRORS = (TenantError, ConnectorError, ValidationError)


def add_errors(form: Any, error: Exception) -> None:
    """Put a service's refusal onto the form, at its fields where it names them.

    ``settings.region`` and ``credential.token`` are the fields ``settings_region`` and
    ``credential_token`` of a connection's form. A refusal of the whole (``credential.``) goes to the
    first field that it says is needed, by the labels that people see.
    """
    if isinstance(error, ValidationError) and hasattr(error, "error_dict"):
        for name, errors in error.error_dict.items():
            form.add_error(name if name in form.fields else None, errors)
        return
    if isinstance(error, ValidationError):
        form.add_error(None, error)
        return
    parts = (getattr(error, "field", None) or "").split(".")
    names = ["_".join(parts[:length]) for length in range(len(parts), 0, -1)]
    text, word, needed = str(error).partition(" needs ")
    names += [f"{parts[0]}_{said}" for said in re.findall(r"\w+", needed)]
    at = next((name for name in names if name in form.fields), None)
    if parts[1:] == [""]:
        needed = re.sub(r"\w+", lambda said: _label(form, f"{parts[0]}_{said[0]}") or said[0], needed)
    form.add_error(at, f"{text}{word}{needed}")


def _label(form: Any, name: str) -> str:
    """How people see a field, in quotes; empty where there is none of this name."""
    return f"“{form.fields[name].label}”" if name in form.fields else ""
