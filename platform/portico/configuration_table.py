"""The table of all settings: what each is called, what it may be, and what it does."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable.

    ``default_text`` is what the documentation says where the default is derived;
    ``minimum``/``maximum`` bound a number (or the length of a text).
    """

    name: str
    kind: str
    default: Any
    doc: str
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    default_text: str = ""
    secret: bool = False

    @property
    def shown_default(self) -> str:
        """The default as the documentation shows it."""
        if self.default_text:
            return self.default_text
        if isinstance(self.default, bool):
            return "`true`" if self.default else "`false`"
        if self.default in ("", [], None):
            return "empty"
        return f"`{self.default}`"

    @property
    def shown_kind(self) -> str:
        """The kind with its bounds or choices, as the documentation shows it."""
        if self.choices:
            return " / ".join(f"`{choice}`" for choice in self.choices)
        if self.kind == "number":
            return f"number, {self.minimum} to {self.maximum}"
        return self.kind


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "PORTICO_ENV",
        "choice",
        "",
        "`quickstart` makes its own keys under `var/`, `production` wants them given, `test` is for the tests.",
        choices=("quickstart", "production", "test"),
        default_text="`quickstart` where `make run` made `var/`, else `production`",
    ),
    Setting(
        "PORTICO_VAR",
        "path",
        "",
        "The folder for data that Portico keeps itself.",
        default_text="`var/` beside `manage.py`",
    ),
    Setting(
        "PORTICO_STATIC_ROOT",
        "path",
        "",
        "Where `collectstatic` puts the files of the admin, for production.",
        default_text="`static/` in `PORTICO_VAR`",
    ),
    Setting("HOST", "text", "127.0.0.1", "The address that the web server listens on."),
    Setting("PORT", "number", 8000, "The port that the web server listens on.", minimum=1, maximum=65535),
    Setting(
        "PORTICO_PUBLIC_URL",
        "public URL",
        "",
        "The address that people and clients use; it may have a path. All links are made from it.",
        default_text="made of `HOST` and `PORT`",
    ),
    Setting(
        "SECRET_KEY",
        "text",
        "",
        "Signs sessions and links of the admin: 50 random characters. No stored secret depends on it.",
        minimum=32,
        default_text="none in production, `var/secret_key` in the quick start",
        secret=True,
    ),
    Setting(
        "PORTICO_KEYS",
        "key ring",
        "",
        "The keys that protect stored secrets: `name:base64-of-32-bytes,…`. The first encrypts, all decrypt.",
        default_text="none in production, `var/keys` in the quick start",
        secret=True,
    ),
    Setting(
        "DATABASE_URL",
        "database URL",
        "",
        "PostgreSQL (`postgres://user:password@host:5432/portico`) or SQLite (`sqlite:////folder/file.sqlite3`).",
        default_text="`var/portico.sqlite3`",
        secret=True,
    ),
    Setting(
        "PORTICO_DB_POOL",
        "number",
        10,
        "PostgreSQL connections that one process may hold.",
        minimum=2,
        maximum=200,
    ),
    Setting(
        "PORTICO_DB_THREADS",
        "number",
        4,
        "Threads of one web process that work on the database.",
        minimum=1,
        maximum=64,
    ),
    Setting(
        "REDIS_URL",
        "Redis URL",
        "",
        "A Redis or Valkey server. Without it the quick start starts one of its own.",
        default_text="the server that the quick start runs, on a socket in `var/redis/`",
        secret=True,
    ),
    Setting(
        "CELERY_BROKER_URL",
        "Redis URL",
        "",
        "The server that carries background jobs, where it is not the same.",
        default_text="`REDIS_URL`",
        secret=True,
    ),
    Setting(
        "ALLOWED_HOSTS",
        "list",
        [],
        "Host names that requests may carry, separated by commas.",
        default_text="the host of `PORTICO_PUBLIC_URL`, and this machine",
    ),
    Setting(
        "EMAIL_URL",
        "mail URL",
        "",
        "The server that mails invitation and password links: `smtp+tls://user:password@host:587`. "
        "Without it they are shown to whoever makes them.",
        secret=True,
    ),
    Setting("PORTICO_MAIL_FROM", "text", "portico@localhost", "The sender of those mails."),
    Setting(
        "PORTICO_CONNECTORS",
        "connectors",
        [],
        "Connectors of your own beside the built-in ones: `slug=module:Class`, separated by commas.",
    ),
    Setting(
        "PORTICO_ALLOWED_ORIGINS",
        "origins",
        [],
        "Origins of web pages that may call the MCP endpoints from a browser.",
    ),
    Setting(
        "PORTICO_TRUSTED_PROXIES",
        "networks",
        [],
        "Addresses of your proxies: only theirs `X-Forwarded-For` and `X-Forwarded-Proto` are believed.",
    ),
    Setting(
        "PORTICO_ALLOW_PRIVATE_NETWORKS",
        "networks",
        [],
        "Private networks that connections may reach, such as `10.20.0.0/16`; never this machine itself.",
    ),
    Setting(
        "PORTICO_SANDBOX",
        "flag",
        False,
        "Connections may reach this machine's loopback, for doubles of vendors; refused in production.",
    ),
    Setting(
        "PORTICO_HSTS_S",
        "number",
        0,
        "Seconds of Strict-Transport-Security; 0 sends none.",
        minimum=0,
        maximum=63072000,
    ),
    Setting(
        "WEB_CONCURRENCY",
        "number",
        1,
        "Web processes; more than one with SQLite only warns.",
        minimum=1,
        maximum=64,
    ),
    Setting(
        "LOG_LEVEL",
        "choice",
        "INFO",
        "How much is logged.",
        choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    ),
    Setting(
        "LOG_FORMAT",
        "choice",
        "line",
        "How records are written to standard error: as lines for people, or as one JSON object each.",
        choices=("line", "json"),
    ),
    Setting(
        "LOG_FILE",
        "path",
        "",
        "A file that the log is written to as well, by all processes: rotated at 10 MB, five former ones kept.",
    ),
    Setting(
        "PORTICO_METRICS_TOKEN",
        "text",
        "",
        "What Prometheus shows as its bearer token at `/metrics`, 16 characters at least. "
        "Without it there are no metrics there.",
        minimum=16,
        secret=True,
    ),
    Setting(
        "SENTRY_DSN",
        "text",
        "",
        "The Sentry project that errors are reported to, without any data of a request.",
        secret=True,
    ),
    Setting("DEBUG", "flag", False, "Django's debug pages; refused in production."),
    Setting(
        "PORTICO_READ_ONLY", "flag", False, "No tool that writes can be listed or called, in any tenant."
    ),
    Setting(
        "PORTICO_MAX_BODY",
        "number",
        4 * 1024 * 1024,
        "Largest request to an MCP endpoint, in bytes.",
        minimum=1024,
        maximum=104857600,
    ),
    Setting(
        "PORTICO_CALL_TIMEOUT_S",
        "number",
        60,
        "Seconds after which a tool call is given up.",
        minimum=1,
        maximum=3600,
    ),
    Setting(
        "PORTICO_DRAIN_S",
        "number",
        30,
        "Seconds that running calls get to end when a server process stops.",
        minimum=0,
        maximum=3600,
    ),
    Setting(
        "PORTICO_MEMORY_TENANT_KEYS",
        "number",
        1_000_000,
        "Keys that all `memory` connections of one tenant may hold together.",
        minimum=1,
        maximum=1_000_000_000,
    ),
    Setting(
        "PORTICO_MEMORY_TENANT_BYTES",
        "number",
        512 * 1024 * 1024,
        "Bytes of keys and values that all `memory` connections of one tenant may hold together.",
        minimum=1024,
        maximum=1024**4,
    ),
)
