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

Reader = Callable[[str], Any]


class NotUnderstoodError(ValueError):
    """A value that its field cannot be read from; the sentence says what would do, never the value."""


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
        "HOST", "BASE_URL", "URL", "SITE_URL", "INSTANCE_URL", "SERVER", "DOMAIN", "SITE", "SITE_NAME"
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
        _atlassian_sign_in,
    )


def _atlassian_sign_in(credential: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """One field has whichever secret the method means.

    Some files name an API token of the cloud "personal token": an e-mail and a cloud site tell.
    """
    email, token, personal = (credential.get(name) for name in ("email", "token", "personal_token"))
    cloud = ".atlassian.net" in str(settings.get("site", ""))
    if token or (personal and email and cloud):
        return {"method": "api_token", "email": email, "token": token or personal}
    if personal:
        return {"method": "personal_access_token", "token": personal}
    if credential.get("password"):
        return {"method": "password", "email": email, "token": credential["password"]}
    return {"method": "api_token", "email": email}


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


def _salesforce_sign_in(credential: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    has = {name for name, value in credential.items() if value}
    ways = {
        "password": {"username", "password"},
        "jwt_bearer": {"client_id", "username", "private_key"},
        "refresh_token": {"client_id", "refresh_token"},
        "client_credentials": {"client_id", "client_secret"},
        "access_token": {"access_token"},
    }
    method = next((name for name, needed in ways.items() if needed <= has), "")
    return {"method": method or ("password" if "username" in has else "client_credentials"), **credential}


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


def _github_sign_in(credential: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    token = str(credential.get("token") or "")
    if not token and credential.get("app_id"):
        return {"method": "app", **credential}
    return {"method": "fine_grained" if token.startswith("github_pat_") else "classic", **credential}


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
        _salesforce_sign_in,
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
                _list,
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
        _github_sign_in,
    ),
)
