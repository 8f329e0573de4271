"""Django's settings, made of the table in ``portico.configuration_table``.

Importing this module never fails: mistakes are collected in ``CONFIGURATION_PROBLEMS``,
and ``manage.py``, gunicorn, the ASGI application and Celery refuse to start with them.
"""

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ

from portico import __version__ as PORTICO_VERSION
from portico.configuration import Configuration
from portico.first_start import kept_secret, new_key_ring, new_secret_key
from portico.look import UNFOLD as UNFOLD

ROOT = Path(__file__).resolve().parent.parent.parent
environ.Env.read_env(ROOT / ".env")
_config = Configuration(os.environ)

VAR = Path(_config["PORTICO_VAR"] or ROOT / "var")
# The quick start marks its folder, so that every later command finds the same keys.
PORTICO_ENV: str = _config["PORTICO_ENV"] or (
    "quickstart" if "quickstart" in sys.argv[1:2] or (VAR / "quickstart.json").exists() else "production"
)
IN_PRODUCTION = PORTICO_ENV == "production"
DEBUG: bool = _config["DEBUG"]
HOST: str = _config["HOST"]
PORT: int = _config["PORT"]
LOG_LEVEL: str = _config["LOG_LEVEL"]
LOG_FORMAT: str = _config["LOG_FORMAT"]
LOG_FILE: str = _config["LOG_FILE"]
PORTICO_METRICS_TOKEN: str = _config["PORTICO_METRICS_TOKEN"]
SENTRY_DSN: str = _config["SENTRY_DSN"]
WEB_CONCURRENCY: int = _config["WEB_CONCURRENCY"]
PORTICO_READ_ONLY: bool = _config["PORTICO_READ_ONLY"]
PORTICO_MAX_BODY: int = _config["PORTICO_MAX_BODY"]
PORTICO_DRAIN_S: int = _config["PORTICO_DRAIN_S"]
PORTICO_CALL_TIMEOUT_S: int = _config["PORTICO_CALL_TIMEOUT_S"]
PORTICO_MEMORY_TENANT_KEYS: int = _config["PORTICO_MEMORY_TENANT_KEYS"]
PORTICO_MEMORY_TENANT_BYTES: int = _config["PORTICO_MEMORY_TENANT_BYTES"]
PORTICO_DB_THREADS: int = _config["PORTICO_DB_THREADS"]
PORTICO_TRUSTED_PROXIES: list[str] = _config["PORTICO_TRUSTED_PROXIES"]
PORTICO_ALLOW_PRIVATE_NETWORKS: list[str] = _config["PORTICO_ALLOW_PRIVATE_NETWORKS"]
PORTICO_SANDBOX: bool = _config["PORTICO_SANDBOX"]
PORTICO_CONNECTORS: list[str] = _config["PORTICO_CONNECTORS"]
PORTICO_ALLOWED_ORIGINS: list[str] = _config["PORTICO_ALLOWED_ORIGINS"]
PORTICO_PAGE_SIZE = 500  # of MCP lists; clients of the handshake era often read the first page only

# --- Secrets -------------------------------------------------------------------------
SECRET_KEY: str = _config["SECRET_KEY"]
PORTICO_KEYS: str = _config["PORTICO_KEYS"]
if PORTICO_ENV == "quickstart":
    SECRET_KEY = SECRET_KEY or kept_secret(VAR / "secret_key", new_secret_key)
    PORTICO_KEYS = PORTICO_KEYS or kept_secret(VAR / "keys", new_key_ring)
elif PORTICO_ENV == "test":
    SECRET_KEY = SECRET_KEY or "only-for-the-test-suite-and-nothing-else"
    PORTICO_KEYS = PORTICO_KEYS or "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
else:
    _config.require(
        "SECRET_KEY",
        "write 50 random characters (make them with: openssl rand -base64 40). "
        "Only to try Portico out, run: make run.",
    )
    _config.require(
        "PORTICO_KEYS",
        'write name:key, with 32 random bytes as the key (echo "k1:$(openssl rand -base64 32)").',
    )
    if DEBUG:
        _config.problems.append("DEBUG is true in production, where its pages show secrets; write false.")
    if PORTICO_SANDBOX:
        _config.problems.append(
            "PORTICO_SANDBOX is true in production, where it would open this machine to tenants; write false."
        )

# --- Addresses -----------------------------------------------------------------------
_shown_host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(HOST, HOST)  # noqa: S104
_shown_host = f"[{_shown_host}]" if ":" in _shown_host else _shown_host
PORTICO_PUBLIC_URL: str = _config["PORTICO_PUBLIC_URL"] or f"http://{_shown_host}:{PORT}"
_public = urlsplit(PORTICO_PUBLIC_URL)
_public_host = f"[{_public.hostname}]" if ":" in (_public.hostname or "") else (_public.hostname or "")
PUBLIC_PATH = _public.path.rstrip("/")  # "" or "/prefix": where the whole site hangs below its host
IS_HTTPS = _public.scheme == "https"
ALLOWED_HOSTS: list[str] = _config["ALLOWED_HOSTS"] or sorted(
    {_public_host, _shown_host, "127.0.0.1", "localhost", "[::1]"}
)
FORCE_SCRIPT_NAME = PUBLIC_PATH or None
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = PUBLIC_PATH or "/"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS: int = _config["PORTICO_HSTS_S"]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Believed only where proxies are named; ``portico.asgi`` drops the header of everybody else.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PORTICO_TRUSTED_PROXIES else None

# --- Applications --------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "portico",
    "common",
    "audit",
    "tenants",
    "connectors",
    "connectors.providers.restaurant",
    "connectors.providers.goals",
    "mcp_endpoint",
]
MIDDLEWARE = [
    "portico.logging.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "portico.urls"
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
ASGI_APPLICATION = "portico.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
if PORTICO_ENV == "test":  # a slow hash is right everywhere but in a suite that signs in all the time
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

# --- Database and Redis --------------------------------------------------------------
_database_url = _config["DATABASE_URL"] or f"sqlite:///{VAR / 'portico.sqlite3'}"
_db: dict[str, Any] = environ.Env.db_url_config(_database_url)
DATABASES = {"default": _db}
USES_SQLITE = _db["ENGINE"] == "django.db.backends.sqlite3"
if USES_SQLITE:
    # IMMEDIATE: a deferred transaction that upgrades to a write fails at once instead of waiting.
    _db["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
else:
    _db["CONN_MAX_AGE"] = 0  # the pool keeps connections; Django refuses both at once
    _db.setdefault("OPTIONS", {})["pool"] = {"min_size": 1, "max_size": _config["PORTICO_DB_POOL"]}
if PORTICO_ENV == "test":
    # Test processes that run at the same time have a database each.
    _worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    _db["TEST"] = {"NAME": str(VAR / f"test{_worker}.sqlite3") if USES_SQLITE else f"test_portico{_worker}"}
REDIS_IS_OURS = not _config.given("REDIS_URL")
REDIS_URL: str = _config["REDIS_URL"] or f"unix://{VAR / 'redis' / 'redis.sock'}"
CELERY_BROKER_URL: str = _config["CELERY_BROKER_URL"] or REDIS_URL
if IN_PRODUCTION:
    _config.require(
        "REDIS_URL", "write the URL of a Redis or Valkey server, such as redis://127.0.0.1:6379/0."
    )
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Language, time, files -----------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = f"{PUBLIC_PATH}/static/"
STATIC_ROOT = Path(_config["PORTICO_STATIC_ROOT"] or VAR / "static")
WHITENOISE_STATIC_PREFIX = "/static/"
# The quick start serves files from where they lie; production from `collectstatic`, with hashed names.
WHITENOISE_USE_FINDERS = not IN_PRODUCTION
if not IN_PRODUCTION and VAR.exists():
    STATIC_ROOT.mkdir(mode=0o700, exist_ok=True)  # empty, but whoever serves files looks into it
# Else each of a suite's test clients would read every static file first.
WHITENOISE_AUTOREFRESH = DEBUG or PORTICO_ENV == "test"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if IN_PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
if IN_PRODUCTION and Path(sys.argv[0]).name != "manage.py" and not STATIC_ROOT.exists():
    _config.problems.append(
        "The files of the admin have not been collected; run: python manage.py collectstatic --noinput."
    )

# --- Mail ----------------------------------------------------------------------------
_mail: dict[str, Any] = environ.Env.email_url_config(_config["EMAIL_URL"]) if _config["EMAIL_URL"] else {}
EMAIL_HOST: str = _mail.get("EMAIL_HOST") or ""
EMAIL_PORT: int = _mail.get("EMAIL_PORT") or 25
EMAIL_HOST_USER: str = _mail.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD: str = _mail.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS: bool = bool(_mail.get("EMAIL_USE_TLS"))
EMAIL_USE_SSL: bool = bool(_mail.get("EMAIL_USE_SSL"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL: str = _config["PORTICO_MAIL_FROM"]

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "portico.api.errors.handler",
    "URL_FORMAT_OVERRIDE": None,
    "NUM_PROXIES": 0,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Portico",
    "DESCRIPTION": "Provision tenants, connections, members and access keys, read the audit, call tools.",
    "VERSION": PORTICO_VERSION,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

LOGGING_CONFIG = "portico.logging.configure"
LOGGING = {"level": LOG_LEVEL, "form": LOG_FORMAT, "file": LOG_FILE}

if LOG_FILE:
    _folder = next(folder for folder in Path(LOG_FILE).parents if folder.exists())
    if Path(LOG_FILE).is_dir() or not os.access(_folder, os.W_OK):
        _config.problems.append(
            "LOG_FILE cannot be written; write the path of a file, such as var/portico.log."
        )

CONFIGURATION_PROBLEMS = _config.problems
