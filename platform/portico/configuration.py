"""Every setting of Portico in one table, and reading it from the environment.

``docs/configuration.md`` lists the same table (a test compares them). A wrong value never
becomes a traceback: :class:`Configuration` collects one sentence per mistake that says
what to write, and whatever starts Portico refuses with those sentences (:func:`refuse`).
"""

import ipaddress
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from common.keyring import parse_keys
from portico.configuration_table import SETTINGS, Setting

__all__ = ["SETTINGS", "Configuration", "Setting", "refuse"]

_DATABASES = ("sqlite", "postgres", "postgresql", "psql", "pgsql")
_REDIS = ("redis", "rediss", "unix")


class Configuration:
    """The table's values, read from one mapping of environment variables.

    ``values[name]`` is the parsed value (the default where the variable is absent or
    wrong); ``problems`` holds one sentence per mistake.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self.values: dict[str, Any] = {}
        self._env = environ.Env()
        self._env.ENVIRON = dict(environment)
        for setting in SETTINGS:
            self.values[setting.name] = self._read(setting)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def given(self, name: str) -> bool:
        """Whether the environment has a non-empty value for this setting."""
        return bool(self._env.ENVIRON.get(name, "").strip())

    def _read(self, setting: Setting) -> Any:
        if not self.given(setting.name):
            return setting.default
        raw = self._env.ENVIRON[setting.name].strip()
        try:
            value = _PARSERS[setting.kind](self._env, setting, raw)
        except ValueError as error:
            # The value itself stays out of the sentence where it may hold a password.
            shown = "has a wrong value" if setting.secret else f"is {raw[:80]!r}"
            self.problems.append(f"{setting.name} {shown}; {error}.")
            return setting.default
        return value

    def require(self, name: str, sentence: str) -> None:
        """Note a problem when a setting that is needed has no value."""
        if not self.given(name):
            self.problems.append(f"{name} is not set; {sentence}")


def refuse(problems: list[str]) -> None:
    """End the process with the sentences when there are any: the start is refused."""
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        print(f"Portico does not start, because its configuration is wrong:\n{lines}", file=sys.stderr)
        sys.exit(2)


def _number(_env: environ.Env, setting: Setting, raw: str) -> int:
    low, high = setting.minimum, setting.maximum
    between = f"write a whole number from {low} to {high}"
    if not re.fullmatch(r"[+-]?\d{1,18}", raw):
        raise ValueError(between)
    number = int(raw)
    if (low is not None and number < low) or (high is not None and number > high):
        raise ValueError(between)
    return number


def _flag(env: environ.Env, setting: Setting, raw: str) -> bool:
    if raw.lower() not in {"true", "false", "1", "0", "yes", "no", "on", "off"}:
        raise ValueError("write true or false")
    return bool(env.bool(setting.name))


def _text(_env: environ.Env, setting: Setting, raw: str) -> str:
    if len(raw) < (setting.minimum or 0):
        raise ValueError(f"write at least {setting.minimum} characters")
    return raw


def _choice(_env: environ.Env, setting: Setting, raw: str) -> str:
    for choice in setting.choices:
        if raw.lower() == choice.lower():
            return choice
    raise ValueError(f"write {', '.join(setting.choices[:-1])} or {setting.choices[-1]}")


def _list(env: environ.Env, setting: Setting, _raw: str) -> list[str]:
    return [item.strip() for item in env.list(setting.name) if item.strip()]


def _networks(env: environ.Env, setting: Setting, raw: str) -> list[str]:
    items = _list(env, setting, raw)
    for item in items:
        try:
            ipaddress.ip_network(item)
        except ValueError:
            raise ValueError("write addresses or networks such as 10.0.0.5 or 10.0.0.0/8") from None
    return items


def _origins(env: environ.Env, setting: Setting, raw: str) -> list[str]:
    items = [item.rstrip("/") for item in _list(env, setting, raw)]
    for item in items:
        parts = urlsplit(item)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path:
            raise ValueError("write origins such as https://app.example.com, separated by commas")
    return items


def _connectors(env: environ.Env, setting: Setting, raw: str) -> list[str]:
    items = _list(env, setting, raw)
    for item in items:
        if not re.fullmatch(r"[a-z][a-z0-9_]*=[\w.]+:\w+", item):
            raise ValueError("write slug=module:Class, such as weather=acme.weather:Weather")
    return items


def _public_url(_env: environ.Env, _setting: Setting, raw: str) -> str:
    advice = "write the address that clients use, such as https://portico.example.com, without a query"
    try:
        parts = urlsplit(raw)
        _ = parts.port
    except ValueError:
        raise ValueError(advice) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(advice)
    if parts.username or parts.password or not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*/?", parts.path):
        raise ValueError(advice)
    return raw.rstrip("/")


def _url(schemes: tuple[str, ...], example: str) -> Callable[[environ.Env, Setting, str], str]:
    def parse(_env: environ.Env, _setting: Setting, raw: str) -> str:
        advice = f"write a URL such as {example}"
        try:
            parts = urlsplit(raw)
            _ = parts.port
        except ValueError:
            raise ValueError(advice) from None
        if parts.scheme not in schemes or not (parts.netloc or parts.path):
            raise ValueError(advice)
        return raw

    return parse


def _keys(_env: environ.Env, _setting: Setting, raw: str) -> str:
    try:
        parse_keys(raw)
    except ImproperlyConfigured as error:
        raise ValueError(str(error).rstrip(".")) from None
    return raw


_PARSERS: dict[str, Callable[[environ.Env, Setting, str], Any]] = {
    "number": _number,
    "flag": _flag,
    "text": _text,
    "choice": _choice,
    "list": _list,
    "networks": _networks,
    "origins": _origins,
    "connectors": _connectors,
    "public URL": _public_url,
    "database URL": _url(
        _DATABASES, "postgres://user:password@host:5432/portico or sqlite:////folder/portico.sqlite3"
    ),
    "Redis URL": _url(_REDIS, "redis://host:6379/0, rediss://host:6379/0 or unix:///folder/redis.sock"),
    "mail URL": _url(
        ("smtp", "smtps", "smtp+tls", "smtp+ssl"), "smtp+tls://user:password@mail.example.com:587"
    ),
    "key ring": _keys,
    "path": lambda _env, _setting, raw: str(Path(raw).expanduser().absolute()),
}
