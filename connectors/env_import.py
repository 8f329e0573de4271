"""Connections out of an environment file: what people had for other servers, taken over.

:func:`plan` reads and checks without changing anything, :func:`apply` makes or updates the
connections. No value of the file is ever in what they say.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from connectors.base import Connector
from connectors.connection_settings import NetworkSettings
from connectors.env_file import EnvFile
from connectors.env_names import TABLES
from connectors.env_reading import Planned, planned_from
from connectors.models import Connection
from connectors.registry import UnknownConnectorError, connector_class
from connectors.services import connection_create, connection_update, credential_set
from connectors.services._shared import validated
from connectors.services.credentials import credential_has
from tenants.errors import TenantError
from tenants.models import Tenant
from tenants.principals import Actor

_HIDDEN: Final = "***"
_SHORTEST_HIDDEN: Final = 4  # shorter values are words that sentences have anyway
_HIDDEN_ANYWHERE: Final = 8


@dataclass
class Report:
    """Everything a file had: connections, names of no connector, and what :class:`EnvFile` found odd."""

    planned: list[Planned]
    left: list[tuple[str, str]]
    twice: list[str]
    odd_lines: list[int]


def plan(tenant: Tenant, file: EnvFile, slugs: Mapping[str, str] | None = None) -> Report:
    """What the file would do to the tenant's connections; ``slugs`` names the connection by connector."""
    found = planned_from(file)
    for one in found:
        _check(tenant, one, (slugs or {}).get(one.connector), file)
    known = {name for one in found for name, _ in (*one.took, *one.left)}
    return Report(
        found, [(name, _why(name)) for name in file.values if name not in known], file.twice, file.odd_lines
    )


def _why(name: str) -> str:
    owner = next((table.connector for table in TABLES if name.upper().startswith(table.prefixes)), "")
    return f"{owner} has no setting for it" if owner else "of none of these systems"


def _check(tenant: Tenant, made: Planned, slug: str | None, file: EnvFile) -> None:
    """Find the connection that this would be, and see whether everything fits."""
    try:
        cls = connector_class(made.connector)
    except UnknownConnectorError:
        made.action, made.problem = "refused", "This connector is not installed."
        return
    _leave_unknown(made, cls)
    if made.credential and not any("does not begin" in warning for warning in made.warnings):
        made.warnings += cls.credential_warnings(made.credential)
    try:
        row = _existing(tenant, made.connector, slug)
        made.slug = row.slug if row else slug or made.connector
        made.action = _compared(row, made, cls)
    except TenantError as error:
        made.action, made.problem = "refused", hidden(error.message, file)
        if cls.Credentials is not None and not made.credential:
            made.problem = f"{made.problem.rstrip('.')}. The file has no credential for it."


def _leave_unknown(made: Planned, cls: type[Connector]) -> None:
    """Leave what this version of the connector has no setting for."""
    unknown = [name for name in made.settings if name not in cls.Settings.model_fields]
    for name in unknown:
        del made.settings[name]
        made.left += [
            (pair[0], f"{made.connector} has no setting for it") for pair in made.took if pair[1] == name
        ]
    made.took = [pair for pair in made.took if pair[1] not in unknown]


def _existing(tenant: Tenant, connector: str, slug: str | None) -> Connection | None:
    """The tenant's connection that is meant. Raises TenantError where nobody can tell."""
    rows = list(Connection.objects.for_tenant(tenant).select_related("tenant"))
    named = next((row for row in rows if row.slug == (slug or connector)), None)
    if named is not None and named.connector != connector:
        raise TenantError(
            f"The connection {named.slug} is one to {named.connector}; name another with --slug {connector}=…"
        )
    if named is not None or slug:
        return named
    own = [row for row in rows if row.connector == connector]
    if len(own) > 1:
        raise TenantError(
            f"There are several connections to {connector}: {', '.join(sorted(row.slug for row in own))}. "
            f"Say which one with --slug {connector}=…"
        )
    return own[0] if own else None


def _compared(row: Connection | None, made: Planned, cls: type[Connector]) -> str:
    """What is to be done. Raises InvalidValue where the connector refuses it."""
    made.settings = {**(row.settings if row else {}), **made.settings}
    made.network = {**(row.network if row else {}), **made.network}
    made.credential = {name: value for name, value in made.credential.items() if value not in (None, "")}
    settings = validated(cls.Settings, made.settings, "settings").model_dump(mode="json")
    network = validated(NetworkSettings, made.network, "network").model_dump(
        mode="json", exclude_defaults=True
    )
    stored = row is not None and credential_has(row, {})
    if cls.Credentials is not None and not stored:
        validated(cls.Credentials, made.credential, "credential")
    elif not any(part in made.credential for part in _secrets(cls)):
        _leave_credential(made)
    if row is None:
        return "create"
    same = (settings, network) == (row.settings, row.network) and made.read_only in (None, row.read_only)
    return "unchanged" if same and credential_has(row, made.credential) else "update"


def _secrets(cls: type[Connector]) -> list[str]:
    fields = cls.Credentials.model_fields if cls.Credentials is not None else {}
    return [name for name, field in fields.items() if "SecretStr" in str(field.annotation)]


def _leave_credential(made: Planned) -> None:
    """Keep the stored credential as it is: a name without a secret says nothing of how to sign in."""
    without = [pair for pair in made.took if pair[1] in made.credential or pair[1] == "method"]
    made.left += [(name, "no secret with it; the stored credential stays") for name, _part in without]
    made.took = [pair for pair in made.took if pair not in without]
    made.credential = {}


def apply(tenant: Tenant, report: Report, file: EnvFile, *, actor: Actor) -> None:
    """Make and update what was planned, each connection for itself; what fails becomes refused."""
    for made in report.planned:
        if made.action not in ("create", "update"):
            continue
        try:
            with transaction.atomic():
                _apply(tenant, made, actor)
        except TenantError as error:
            made.action, made.problem = "refused", hidden(error.message, file)


def _apply(tenant: Tenant, made: Planned, actor: Actor) -> None:
    if made.action == "create":
        connection_create(
            tenant=tenant,
            connector=made.connector,
            slug=made.slug,
            settings=made.settings,
            credential=made.credential,
            network=made.network,
            read_only=bool(made.read_only),
            actor=actor,
        )
        return
    row = Connection.objects.for_tenant(tenant).select_related("tenant").get(slug=made.slug)
    connection_update(
        row, settings=made.settings, network=made.network, read_only=made.read_only, actor=actor
    )
    if made.credential and not credential_has(row, made.credential):
        credential_set(row, made.credential, actor=actor)


def hidden(text: str, file: EnvFile) -> str:
    """A sentence without any value of the file: a secret may stand under any name.

    A short value is hidden where it is a word: within longer ones the sentence has it of its own.
    """
    for value in sorted(file.values.values(), key=len, reverse=True):
        for form in (value, repr(value)[1:-1]):
            if len(form) >= _SHORTEST_HIDDEN:
                around = r"(?<!\w){}(?!\w)" if len(form) < _HIDDEN_ANYWHERE else "{}"
                text = re.sub(around.format(re.escape(form)), _HIDDEN, text)
    return text
