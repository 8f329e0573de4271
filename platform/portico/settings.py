"""Django settings, read from the environment with django-environ.

Every setting is listed in docs/configuration.md. A wrong value stops the start with a
sentence that says what to write (see ``portico.checks`` and ``_refuse`` below).
"""

from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parent.parent.parent
env = environ.Env()
environ.Env.read_env(ROOT / ".env")

VAR = Path(env.str("PORTICO_VAR", default=str(ROOT / "var")))
# quickstart: keys are made under var/; production: they must be given; test: the test suite.
PORTICO_ENV = env.str("PORTICO_ENV", default="production")
if PORTICO_ENV not in {"quickstart", "production", "test"}:
    raise ImproperlyConfigured(
        f"PORTICO_ENV is {PORTICO_ENV!r}; write quickstart, production or test."
    )
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="insecure-until-configured")
PORTICO_KEYS = env.str("PORTICO_KEYS", default="")
PORTICO_PUBLIC_URL = env.str("PORTICO_PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
PORTICO_TRUSTED_PROXIES = env.list("PORTICO_TRUSTED_PROXIES", default=[])
PORTICO_READ_ONLY = env.bool("PORTICO_READ_ONLY", default=False)
PORTICO_MAX_BODY = env.int("PORTICO_MAX_BODY", default=4 * 1024 * 1024)
PORTICO_DRAIN_S = env.int("PORTICO_DRAIN_S", default=30)
PORTICO_CALL_TIMEOUT_S = env.int("PORTICO_CALL_TIMEOUT_S", default=60)
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
PORTICO_ALLOWED_ORIGINS = env.list("PORTICO_ALLOWED_ORIGINS", default=[])

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

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{VAR / 'portico.sqlite3'}")}
_db = DATABASES["default"]
if _db["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE: a deferred transaction that upgrades to a write fails at once instead of waiting.
    _db["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
else:
    _db["CONN_MAX_AGE"] = 0
    _db.setdefault("OPTIONS", {})["pool"] = {"min_size": 1, "max_size": env.int("PORTICO_DB_POOL", default=10)}
if PORTICO_ENV == "test":
    _db["TEST"] = {"NAME": str(VAR / "test.sqlite3")} if "sqlite3" in _db["ENGINE"] else {"NAME": "test_portico"}
REDIS_URL = env.str("REDIS_URL", default=f"unix://{VAR / 'redis' / 'redis.sock'}")

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
