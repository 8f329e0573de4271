"""How environment files spell what connections need: one table for all connectors.

The names are those of the MCP servers and tools that people come from. A row says which names
mean a field of a connection, the first one in a file wins; ``field`` is ``settings.x``,
``credential.x``, ``network.x`` or ``connection.x``.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from connectors.env_sign_in import (
    NotUnderstoodError,
    atlassian_sign_in,
    github_sign_in,
    salesforce_sign_in,
    salesforce_way,
)

Reader = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Row:
    """Names that mean one field, how its value is read, and how a token of a known form begins.

    A value read as None says nothing. Of several rows with one field the first one wins.
    """

    field: str
    names: tuple[str, ...]
    read: Reader = str
    begins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A connector's rows, the prefixes of its names, and how a credential is made of what was read."""

    connector: str
    prefixes: tuple[str, ...]
    rows: tuple[Row, ...]
    sign_in: Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]
    """From the credential's rows and the settings, both as read: the credential with its method."""
    shared: str = ""
    """The prefix of names that mean other connectors as well, and less than the own ones."""


def _yes(value: str) -> bool:
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    if value.lower() in ("0", "false", "no", "off"):
        return False
    raise NotUnderstoodError("write true or false")


def _list(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        raise NotUnderstoodError("write seconds, such as 0.5") from None
    if not 0 <= seconds <= 60:
        raise NotUnderstoodError("write seconds, from 0 to 60")
    return seconds


def _milliseconds(value: str) -> int:
    """A delay of seconds; a number that is too great for that is one of milliseconds, as some servers had it."""
    if value.isdecimal() and 60 < int(value) <= 60_000:
        return int(value)
    return round(_seconds(value) * 1000)


def _repositories(value: str) -> list[str]:
    """Repositories by name; one that is written as its address (of clones too) means the same."""
    return [
        re.sub(r"^(https?://[^/]+/|git@[^:]+:)", "", part).removesuffix("/").removesuffix(".git")
        for part in _list(value)
    ]


def _key(value: str) -> str:
    return value.upper()


def _keys(value: str) -> list[str]:
    return _list(value.upper())


def _site(value: str) -> str:
    """A site's name alone (``acme``) means Atlassian's cloud."""
    return f"https://{value}.atlassian.net" if re.fullmatch(r"[A-Za-z0-9-]+", value) else value


def _atlassian(connector: str, own: tuple[Row, ...]) -> Table:
    prefix = connector.upper()

    def names(*endings: str) -> tuple[str, ...]:
        return tuple(f"{first}_{ending}" for first in (prefix, "ATLASSIAN") for ending in endings)

    address = names(
        "HOST",
        "BASE_URL",
        "URL",
        "SITE_URL",
        "INSTANCE_URL",
        "SERVER",
        "SERVER_URL",
        "DOMAIN",
        "SITE",
        "SITE_NAME",
    )
    person = names("EMAIL", "USERNAME", "USER_EMAIL", "USER", "API_EMAIL")
    return Table(
        connector,
        (f"{prefix}_", "ATLASSIAN_"),
        (
            Row("settings.site", address, _site),
            Row("credential.email", person),
            Row("credential.token", names("API_TOKEN", "TOKEN", "API_KEY"), begins=("ATATT", "ATCTT")),
            Row("credential.personal_token", names("PERSONAL_TOKEN", "PERSONAL_ACCESS_TOKEN", "PAT")),
            Row("credential.password", names("PASSWORD")),
            *own,
            Row("network.min_interval_ms", names("RATE_LIMIT_DELAY"), _milliseconds),
            Row("network.read_s", names("TIMEOUT"), _seconds),
            Row("network.verify", names("SSL_VERIFY", "VERIFY_SSL"), _yes),
            Row("connection.read_only", (*names("READ_ONLY"), "READ_ONLY_MODE"), _yes),
        ),
        atlassian_sign_in,
        shared="ATLASSIAN_",
    )


def _instance(value: str) -> str:
    """``SALESFORCE_DOMAIN`` as simple-salesforce takes it: login, test, or the org's own name."""
    if re.fullmatch(r"[A-Za-z0-9-]+", value):
        return (
            f"https://{value}.salesforce.com"
            if value in ("login", "test")
            else f"https://{value}.my.salesforce.com"
        )
    return f"{value}.salesforce.com" if value.endswith(".my") else value


def _sandbox(value: str) -> str | None:
    return "https://test.salesforce.com" if _yes(value) else None


def _version(value: str) -> str:
    number = value.lower().removeprefix("v")
    return number if "." in number else f"{number}.0"


def _salesforce(*endings: str) -> tuple[str, ...]:
    return tuple(f"{first}_{ending}" for first in ("SALESFORCE", "SF") for ending in endings)


def _api(value: str) -> str:
    """An Enterprise Server by its host alone; its API is below /api/v3, or at api. of *.ghe.com."""
    parts = urlsplit(value if "://" in value else f"https://{value}")
    host = parts.netloc.lower()
    if host in ("github.com", "www.github.com", "api.github.com"):
        return "https://api.github.com"
    if parts.path.strip("/"):
        return parts.geturl()
    if host.endswith(".ghe.com"):
        return f"https://{host if host.startswith('api.') else f'api.{host}'}"
    return f"{parts.scheme}://{host}/api/v3"


def _github(*endings: str) -> tuple[str, ...]:
    return tuple(f"{first}_{ending}" for first in ("GITHUB", "GH") for ending in endings)


TABLES: Final[tuple[Table, ...]] = (
    _atlassian(
        "jira",
        (
            Row(
                "settings.default_project", ("JIRA_PROJECT_KEY", "JIRA_DEFAULT_PROJECT", "JIRA_PROJECT"), _key
            ),
            Row(
                "settings.projects", ("JIRA_PROJECTS_FILTER", "JIRA_PROJECTS", "JIRA_ALLOWED_PROJECTS"), _keys
            ),
        ),
    ),
    _atlassian(
        "confluence",
        (
            Row(
                "settings.default_space",
                ("CONFLUENCE_SPACE_KEY", "CONFLUENCE_DEFAULT_SPACE", "CONFLUENCE_SPACE"),
            ),
            Row(
                "settings.spaces",
                ("CONFLUENCE_SPACES_FILTER", "CONFLUENCE_SPACES", "CONFLUENCE_ALLOWED_SPACES"),
                _list,
            ),
        ),
    ),
    Table(
        "salesforce",
        ("SALESFORCE_", "SF_"),
        (
            Row(
                "settings.url",
                _salesforce(
                    "INSTANCE_URL", "MY_DOMAIN", "URL", "BASE_URL", "LOGIN_URL", "HOST", "DOMAIN", "INSTANCE"
                ),
                _instance,
            ),
            Row("settings.url", _salesforce("SANDBOX", "IS_SANDBOX"), _sandbox),
            Row("settings.api_version", _salesforce("API_VERSION", "VERSION"), _version),
            Row("settings.objects", _salesforce("OBJECTS", "ALLOWED_OBJECTS"), _list),
            Row(
                "credential.method",
                _salesforce("CONNECTION_TYPE", "AUTH_TYPE", "AUTH_METHOD"),
                salesforce_way,
            ),
            Row("credential.username", _salesforce("USERNAME", "USER", "EMAIL")),
            Row("credential.password", _salesforce("PASSWORD")),
            Row("credential.security_token", _salesforce("SECURITY_TOKEN", "TOKEN")),
            Row("credential.client_id", _salesforce("CLIENT_ID", "CONSUMER_KEY")),
            Row("credential.client_secret", _salesforce("CLIENT_SECRET", "CONSUMER_SECRET")),
            Row("credential.private_key", _salesforce("PRIVATE_KEY", "JWT_KEY")),
            Row("credential.refresh_token", _salesforce("REFRESH_TOKEN")),
            Row("credential.access_token", _salesforce("ACCESS_TOKEN", "SESSION_ID")),
            Row("network.min_interval_ms", _salesforce("RATE_LIMIT_DELAY"), _milliseconds),
            Row("network.read_s", _salesforce("TIMEOUT"), _seconds),
            Row("connection.read_only", (*_salesforce("READ_ONLY"), "READ_ONLY_MODE"), _yes),
        ),
        salesforce_sign_in,
    ),
    Table(
        "github",
        ("GITHUB_", "GH_"),
        (
            Row("settings.url", _github("API_URL", "BASE_URL")),
            Row(
                "settings.url",
                _github("ENTERPRISE_URL", "ENTERPRISE_HOST", "HOST", "SERVER_URL", "URL"),
                _api,
            ),
            Row("settings.default_branch", _github("DEFAULT_BRANCH", "BRANCH")),
            Row(
                "settings.repositories",
                _github("REPOSITORIES", "REPOS", "ALLOWED_REPOSITORIES", "ALLOWED_REPOS"),
                _repositories,
            ),
            Row(
                "credential.token",
                _github("PERSONAL_ACCESS_TOKEN", "TOKEN", "PAT", "ACCESS_TOKEN", "API_TOKEN"),
                begins=("github_pat_", "ghp_", "gho_", "ghu_", "ghs_"),
            ),
            Row("credential.app_id", _github("APP_ID", "APP_CLIENT_ID")),
            Row("credential.installation_id", _github("APP_INSTALLATION_ID", "INSTALLATION_ID")),
            Row("credential.private_key", _github("APP_PRIVATE_KEY", "PRIVATE_KEY")),
            Row("network.min_interval_ms", _github("RATE_LIMIT_DELAY"), _milliseconds),
            Row("network.read_s", _github("TIMEOUT"), _seconds),
            Row("connection.read_only", (*_github("READ_ONLY"), "READ_ONLY_MODE"), _yes),
        ),
        github_sign_in,
    ),
)
