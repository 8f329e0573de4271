"""Docker cannot be had everywhere the suite runs, so the files are read instead of built."""

import json
import re
import shlex
from pathlib import Path

import pytest
from django.conf import settings

from portico.configuration import SETTINGS

yaml = pytest.importorskip("yaml")
ROOT: Path = settings.ROOT
NAMES = {setting.name for setting in SETTINGS}


def dockerfile() -> list[tuple[str, str]]:
    """Instructions with their arguments; continued lines are joined."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def compose() -> dict:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def demand_command(words: list[str]) -> None:
    """The program comes with the requirements, and the file or module it runs is there."""
    program, arguments = words[0], words[1:]
    if program == "python":
        assert arguments[0] in {"-c", "-m"} or (ROOT / arguments[0]).exists()
        return
    pinned = (ROOT / "requirements.txt").read_text()
    assert f"\n{program}==" in pinned, f"{program} is not installed by requirements.txt"
    modules = [word.partition(":")[0] for word in arguments if word.startswith("portico.")]
    for module in modules:
        assert (ROOT / "platform" / (module.replace(".", "/") + ".py")).exists(), module


def test_the_image_is_built_in_stages_and_runs_as_an_unprivileged_user():
    steps = dockerfile()
    assert [name for name, _ in steps].count("FROM") == 2
    users = [argument for name, argument in steps if name == "USER"]
    assert users == ["portico"]
    assert any("useradd --uid 10001" in argument for name, argument in steps if name == "RUN")
    assert any("--require-hashes -r requirements.txt" in argument for name, argument in steps)


def test_the_images_commands_exist():
    steps = dict(dockerfile())
    demand_command(json.loads(steps["CMD"]))
    health = steps["HEALTHCHECK"]
    words = json.loads(health[health.index("CMD") + 4 :])
    demand_command(words)
    compile(words[-1], "HEALTHCHECK", "exec")
    assert "/healthz" in words[-1]


def test_the_image_copies_only_files_that_are_there_and_ships_no_secret():
    for name, argument in dockerfile():
        words = shlex.split(argument)
        if name == "COPY" and not words[0].startswith("--from"):
            assert (ROOT / words[0]).exists()
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".env", "var", ".git", ".venv"} <= set(ignored)


def test_compose_runs_web_worker_database_and_redis():
    services = compose()["services"]
    assert {"web", "worker", "db", "redis"} <= set(services)
    for name in ("web", "worker", "migrate"):
        assert services[name].get("command") is None or demand_command(services[name]["command"]) is None
        assert set(services[name]["environment"]) <= NAMES
    assert "noeviction" in services["redis"]["command"]
    assert services["web"]["ports"] == ["127.0.0.1:8000:8000"]
    assert [name for name, service in services.items() if "--beat" in str(service.get("command"))] == [
        "worker"
    ]


def test_compose_refuses_to_start_without_its_secrets():
    environment = compose()["services"]["web"]["environment"]
    for name in ("SECRET_KEY", "PORTICO_KEYS"):
        assert environment[name].startswith(f"${{{name}:?")


def test_the_images_settings_exist():
    for name, argument in dockerfile():
        if name == "ENV":
            for word in shlex.split(argument):
                variable = word.partition("=")[0]
                assert variable in NAMES or variable.startswith(("PYTHON", "PIP_")) or variable == "PATH"
