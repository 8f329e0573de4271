"""What an admin tells of a GitHub connection, and its credential."""

import re
from datetime import date
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

PUBLIC_API: Final = "https://api.github.com"
_ALLOWED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}/(\*|[A-Za-z0-9._-]{1,100})")


def uploads_of(url: str) -> str:
    """Where files of releases go: a host of its own, or beside the API's path on an Enterprise Server."""
    if url.endswith("/api/v3"):
        return f"{url.removesuffix('/api/v3')}/api/uploads"
    host = urlsplit(url).hostname or ""
    own = host == "api.github.com" or (host.startswith("api.") and host.endswith(".ghe.com"))
    return url.replace("//api.", "//uploads.", 1) if own else url


class GitHubSettings(BaseModel):
    """Where GitHub is, and what of it this connection reaches."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        PUBLIC_API,
        title="Address of the API",
        description="https://api.github.com; Enterprise Server: https://HOST/api/v3; data residency: https://api.NAME.ghe.com.",
    )
    repositories: list[str] = Field(
        default_factory=list,
        title="Allowed repositories",
        description="Only these: owner/name, or owner/* for all of an owner. Empty: all that the credential sees.",
        max_length=500,
    )
    default_branch: str = Field(
        "",
        title="Branch",
        description="Where a call names none. Empty: each repository's own default branch.",
        max_length=255,
    )
    api_version: Literal["2022-11-28", "2026-03-10"] = Field(
        "2022-11-28",
        title="Version of the API",
        description="Sent as X-GitHub-Api-Version; Enterprise Server knows the older one.",
    )

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        value = value.strip().rstrip("/")
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("Write an address such as https://api.github.com.")
        if parts.hostname in ("github.com", "www.github.com"):
            return PUBLIC_API
        host = parts.netloc
        if parts.path or parts.scheme == "http" or host.startswith("api."):
            return value
        # People write where they sign in: the API is beside it (data residency) or below it (Enterprise Server).
        return f"https://api.{host}" if host.endswith(".ghe.com") else f"https://{host}/api/v3"

    @field_validator("repositories")
    @classmethod
    def _names(cls, values: list[str]) -> list[str]:
        names = [value.strip() for value in values if value.strip()]
        for name in names:
            if not _ALLOWED.fullmatch(name) or name.endswith(("/.", "/..")):
                raise ValueError(f"{name[:80]!r} is neither owner/name nor owner/*.")
        return names


class GitHubCredentials(BaseModel):
    """One of three ways to sign in; a GitHub App is the recommended one."""

    model_config = ConfigDict(extra="forbid")

    method: Literal["app", "fine_grained", "classic"] = Field(
        "app",
        title="Method",
        description="app: a GitHub App (recommended); fine_grained or classic: a personal access token.",
    )
    app_id: str | None = Field(
        None,
        title="App: id or client id",
        description="Settings > Developer settings > GitHub Apps > your app > About.",
        max_length=100,
    )
    installation_id: str | None = Field(
        None,
        title="App: installation id",
        description="The number at the end of the address of Settings > Applications > Configure.",
        pattern=r"^\d{1,20}$",
    )
    private_key: SecretStr | None = Field(
        None,
        title="App: private key",
        description="The .pem file that 'Generate a private key' on the app's page downloads, its whole text.",
    )
    token: SecretStr | None = Field(
        None,
        title="Personal access token",
        description=(
            "Settings > Developer settings > Personal access tokens. Fine-grained: choose the repositories and "
            "Contents, Issues and Pull requests. Classic: the scope repo."
        ),
    )
    expires_at: date | None = Field(
        None, title="Token: expires on", description="As GitHub shows it; the connection's test warns before."
    )

    @model_validator(mode="after")
    def _complete(self) -> "GitHubCredentials":
        wanted = ("app_id", "installation_id", "private_key") if self.method == "app" else ("token",)
        missing = [name for name in wanted if not getattr(self, name)]
        if missing:
            raise ValueError(f"The method {self.method} also needs {' and '.join(missing)}.")
        return self
