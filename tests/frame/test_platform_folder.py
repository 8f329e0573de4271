import platform
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import redis
from django.conf import settings

from common.redis_server import socket_client
from portico import __version__


def test_the_platform_folder_never_becomes_a_package():
    assert not (settings.ROOT / "platform" / "__init__.py").exists()


def test_import_platform_is_the_standard_librarys():
    assert Path(platform.__file__).parent == Path(subprocess.__file__).parent
    assert platform.python_version()


def test_import_platform_is_the_standard_librarys_for_manage_py_too():
    code = "import sys; sys.path[:0] = [sys.argv[1], sys.argv[1] + '/platform']; import platform; platform.machine(); import portico"
    subprocess.run([sys.executable, "-c", code, str(settings.ROOT)], check=True, cwd="/")


def test_one_version_stands_everywhere():
    project = tomllib.loads((settings.ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__ == settings.PORTICO_VERSION


def test_a_start_does_not_wait_for_a_redis_server_that_is_not_there(tmp_path):
    begin = time.monotonic()
    with pytest.raises(redis.ConnectionError):
        socket_client(tmp_path).ping()
    assert time.monotonic() - begin < 0.5
