"""The form of a connection: the part that all connections share, and what its connector declares."""

from collections.abc import Mapping
from typing import Any

from django import forms

from connectors.base import Connector
from connectors.connection_settings import CacheSettings, NetworkSettings
from connectors.models import CONNECTION_SLUG, Connection
from portico.admin.forms import PorticoForm, dress
from portico.admin.model_form import is_secret, model_fields, model_values

SETTINGS, CREDENTIAL, NETWORK, CACHE = "settings", "credential", "network", "cache"


class ConnectionForm(PorticoForm):
    """Made for one connector class; ``connection`` None makes a new one."""

    name = forms.CharField(
        max_length=80, required=False, help_text="What people see; empty: the connector's own."
    )
    slug = forms.RegexField(
        regex=CONNECTION_SLUG,
        max_length=14,
        help_text="2 to 14 small letters and digits, a letter first. Names the connection in patterns; fixed for ever.",
        error_messages={"invalid": "Write 2 to 14 small letters and digits, a letter first."},
    )
    enabled = forms.BooleanField(
        required=False, initial=True, help_text="While off, none of its tools is listed or called."
    )
    read_only = forms.BooleanField(
        required=False, label="Read-only", help_text="Tools that write are neither listed nor called."
    )

    caller_token = forms.BooleanField(
        required=False,
        label="Callers may bring a token",
        help_text="A request may carry the system's own token in a header X-<slug>-Token; it is used for that "
        "request alone, before any stored credential, and never kept.",
    )

    probe_minutes = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=1440,
        initial=5,
        label="Probe every",
        help_text="Minutes between two health probes; 0 probes never.",
    )

    def __init__(
        self,
        cls: type[Connector],
        connection: Connection | None,
        *args: Any,
        secrets_set: frozenset[str] = frozenset(),
        choices: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """``secrets_set`` names what is stored of the credential, ``choices`` has what of it is no secret."""
        super().__init__(*args, **kwargs)
        self.cls, self.connection = cls, connection
        stored: dict[str, Any] = dict(connection.settings) if connection is not None else {}
        if connection is None:
            self.fields["slug"].initial = cls.slug if len(cls.slug) <= 14 else ""
            self.fields["name"].initial = cls.title
        else:
            del self.fields["slug"]
            for name in ("name", "enabled", "read_only", "caller_token", "probe_minutes"):
                self.fields[name].initial = getattr(connection, name)
        # A secret among the settings is never sent back to the browser.
        open_values = {name: value for name, value in stored.items() if not self._hidden(name)}
        set_now = frozenset(name for name, value in stored.items() if self._hidden(name) and value)
        self.fields.update(model_fields(cls.Settings, SETTINGS, open_values, secrets_set=set_now))
        settings = tuple(f"{SETTINGS}_{name}" for name in cls.Settings.model_fields)
        groups = [("Settings", "", settings)]
        if cls.Credentials is None:
            del self.fields["caller_token"]
        else:
            self.fields["credential_mode"] = forms.ChoiceField(
                choices=Connection.CredentialMode.choices,
                initial=connection.credential_mode if connection else Connection.CredentialMode.SHARED,
                label="Whose credential",
            )
            secrets = model_fields(
                cls.Credentials, CREDENTIAL, choices or {}, all_secret=True, secrets_set=secrets_set
            )
            for field in secrets.values():
                field.required = (
                    False  # a personal credential is each member's own; the service checks the rest
                )
            self.fields.update(secrets)
            groups.append(
                (
                    "Credential",
                    "Stored encrypted and never shown again. What you leave empty stays as it is.",
                    ("credential_mode", "caller_token", *secrets),
                )
            )
        groups += self._platform_groups()
        self.groups = tuple(groups)
        dress(self)

    def _platform_groups(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """What Portico itself does for the connection: its way out, its kept results, its probes."""
        row, found = self.connection, []
        if not self.cls.built_in:
            fields = model_fields(NetworkSettings, NETWORK, row.network if row else {})
            self.fields.update(fields)
            found.append(("Network", "How the system is reached; the defaults suit most.", tuple(fields)))
        if any(spec.cache != "-" for spec in self.cls.tools.values()):
            fields = model_fields(CacheSettings, CACHE, row.cache if row else {})
            self.fields.update(fields)
            about = (
                "Results of reading tools are kept for a while, encrypted, and forgotten when a tool writes."
            )
            found.append(("Kept results", about, tuple(fields)))
        found.append(("Health", "", ("probe_minutes",)))
        return found

    def network(self) -> dict[str, Any] | None:
        """How the system is reached; None where there is nothing to say."""
        if self.cls.built_in:
            return None
        return model_values(NetworkSettings, NETWORK, self.cleaned_data)

    def cache(self) -> dict[str, Any] | None:
        """How results are kept; None where none are."""
        return (
            model_values(CacheSettings, CACHE, self.cleaned_data)
            if f"{CACHE}_enabled" in self.fields
            else None
        )

    def _hidden(self, name: str) -> bool:
        info = self.cls.Settings.model_fields.get(name)
        return info is not None and is_secret(info)

    def settings(self) -> dict[str, Any]:
        """The settings as given; a secret that was left empty stays as stored."""
        values = model_values(self.cls.Settings, SETTINGS, self.cleaned_data)
        if self.connection is not None:
            kept = {n: v for n, v in self.connection.settings.items() if self._hidden(n) and n not in values}
            values = {**kept, **values}
        return values

    def credential(self) -> dict[str, Any]:
        """The secrets that were typed, with what was chosen; nothing where all is as it was.

        A new connection with one credential for all needs it at once: what lacks is then said.
        """
        if self.cls.Credentials is None:
            return {}
        values = model_values(self.cls.Credentials, CREDENTIAL, self.cleaned_data)
        shared = self.cleaned_data.get("credential_mode") == Connection.CredentialMode.SHARED
        if self.connection is None and shared:
            return values
        return values if changed(self, values) else {}


def changed(form: forms.Form, values: Mapping[str, Any]) -> bool:
    """Whether a credential's answers say more than the form did before anybody touched it."""
    return any(
        str(value) != str(form.fields[f"{CREDENTIAL}_{name}"].initial) for name, value in values.items()
    )
