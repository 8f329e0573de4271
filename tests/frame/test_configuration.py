import os
import subprocess
import sys

import pytest
from django.conf import settings

from portico.configuration import SETTINGS, Configuration
from portico.first_start import kept_secret, new_key_ring, new_secret_key

RING = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("PORTICO_ENV", "prod", "write quickstart, production or test"),
        ("PORT", "70000", "write a whole number from 1 to 65535"),
        ("PORT", "8000.5", "write a whole number"),
        ("DEBUG", "maybe", "write true or false"),
        ("LOG_LEVEL", "loud", "write DEBUG, INFO, WARNING, ERROR or CRITICAL"),
        ("SECRET_KEY", "short", "write at least 32 characters"),
        ("PORTICO_KEYS", "k1:c2hvcnQ=", "not 32 bytes in base64"),
        ("PORTICO_KEYS", "nonsense", "write <id>:<base64 of 32 bytes>"),
        ("PORTICO_KEYS", f"{RING},{RING}", "twice"),
        ("DATABASE_URL", "mysql://u:sesame@h/db", "write a URL such as postgres://"),
        ("DATABASE_URL", "postgres://u:sesame@h:port/db", "write a URL such as postgres://"),
        ("REDIS_URL", "http://h:6379", "write a URL such as redis://"),
        ("PORTICO_PUBLIC_URL", "portico.example.com", "write the address that clients use"),
        ("PORTICO_PUBLIC_URL", "https://u:p@portico.example.com", "write the address that clients use"),
        ("PORTICO_PUBLIC_URL", "https://portico.example.com/a?b=c", "write the address that clients use"),
        ("PORTICO_TRUSTED_PROXIES", "10.0.0.0/8,proxy", "write addresses or networks"),
        ("PORTICO_ALLOWED_ORIGINS", "app.example.com", "write origins such as https://"),
    ],
)
def test_a_wrong_value_is_answered_with_what_to_write(name, value, advice):
    found = Configuration({name: value})
    assert len(found.problems) == 1
    assert found.problems[0].startswith(name)
    assert advice in found.problems[0]
    assert "sesame" not in found.problems[0]


def test_right_values_are_read_as_their_kind():
    found = Configuration(
        {
            "PORT": "8100",
            "DEBUG": "yes",
            "LOG_LEVEL": "debug",
            "PORTICO_TRUSTED_PROXIES": "10.0.0.1, fd00::/8",
            "PORTICO_PUBLIC_URL": "https://example.com/portico/",
            "PORTICO_KEYS": RING,
        }
    )
    assert found.problems == []
    assert found["PORT"] == 8100
    assert found["DEBUG"] is True
    assert found["LOG_LEVEL"] == "DEBUG"
    assert found["PORTICO_TRUSTED_PROXIES"] == ["10.0.0.1", "fd00::/8"]
    assert found["PORTICO_PUBLIC_URL"] == "https://example.com/portico"


def test_every_setting_stands_in_the_documentation_as_the_table_has_it():
    page = (settings.ROOT / "docs" / "configuration.md").read_text()
    for setting in SETTINGS:
        row = f"| `{setting.name}` | {setting.shown_kind} | {setting.shown_default} | {setting.doc} |"
        assert row in page, f"docs/configuration.md needs this row:\n{row}"
    listed = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert listed == [setting.name for setting in SETTINGS]


def test_the_example_file_names_only_settings_that_exist():
    lines = (settings.ROOT / ".env.example").read_text().splitlines()
    names = [line.split("=")[0] for line in lines if line and not line.startswith("#")]
    assert set(names) <= {setting.name for setting in SETTINGS}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=settings.ROOT,
        env={**clean, "PYTHONPATH": os.pathsep.join([str(settings.ROOT), str(settings.ROOT / "platform")]), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("start", [["manage.py", "check"], ["-m", "gunicorn", "portico.asgi:application"]])
def test_production_without_its_secrets_is_refused_in_plain_words(start, tmp_path):
    result = run(*start, PORTICO_ENV="production", PORTICO_VAR=str(tmp_path))
    assert result.returncode == 2
    assert "SECRET_KEY is not set; write" in result.stderr
    assert "PORTICO_KEYS is not set; write" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_worker_refuses_a_wrong_configuration_in_plain_words(tmp_path):
    result = run(
        "-m", "celery", "-A", "portico.celery", "worker", PORTICO_ENV="production", PORTICO_VAR=str(tmp_path)
    )
    assert result.returncode == 2
    assert "PORTICO_KEYS is not set; write" in result.stderr
    assert "Traceback" not in result.stderr


def test_files_of_an_image_are_collected_without_any_secret(tmp_path):
    result = run(
        "manage.py",
        "collectstatic",
        "--noinput",
        "--dry-run",
        PORTICO_ENV="production",
        PORTICO_VAR=str(tmp_path),
    )
    assert result.returncode == 0, result.stderr


def test_a_production_configuration_behind_a_proxy_has_secure_cookies_and_its_path(tmp_path):
    code = (
        "from django.conf import settings as s; print(s.SESSION_COOKIE_SECURE, s.CSRF_TRUSTED_ORIGINS, s.FORCE_SCRIPT_NAME,"
        " s.STATIC_URL, s.SECURE_PROXY_SSL_HEADER, 'example.com' in s.ALLOWED_HOSTS, s.CONFIGURATION_PROBLEMS)"
    )
    (tmp_path / "static").mkdir()
    result = run(
        "-c", code,
        DJANGO_SETTINGS_MODULE="portico.settings", PORTICO_ENV="production", PORTICO_VAR=str(tmp_path), PORTICO_KEYS=RING,
        SECRET_KEY="x" * 50, REDIS_URL="redis://127.0.0.1:1/0", PORTICO_PUBLIC_URL="https://example.com/portico",
        PORTICO_TRUSTED_PROXIES="127.0.0.1",
    )  # fmt: skip
    assert result.stdout.strip() == (
        "True ['https://example.com'] /portico /portico/static/ ('HTTP_X_FORWARDED_PROTO', 'https') True []"
    )


def test_the_first_start_keeps_its_secrets_private_and_for_ever(tmp_path):
    for name, make in (("keys", new_key_ring), ("secret_key", new_secret_key)):
        first = kept_secret(tmp_path / "var" / name, make)
        assert kept_secret(tmp_path / "var" / name, make) == first
        assert (tmp_path / "var" / name).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in (tmp_path / "var").iterdir()) == ["keys", "secret_key"]
