import platform
import subprocess
import sys
from pathlib import Path

from django.conf import settings


def test_the_platform_folder_never_becomes_a_package():
    assert not (settings.ROOT / "platform" / "__init__.py").exists()


def test_import_platform_is_the_standard_librarys():
    assert Path(platform.__file__).parent == Path(subprocess.__file__).parent
    assert platform.python_version()


def test_import_platform_is_the_standard_librarys_for_manage_py_too():
    code = "import sys; sys.path[:0] = [sys.argv[1], sys.argv[1] + '/platform']; import platform; platform.machine(); import portico"
    subprocess.run([sys.executable, "-c", code, str(settings.ROOT)], check=True, cwd="/")
