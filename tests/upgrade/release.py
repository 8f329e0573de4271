"""Keeps a version's database for all later ones: ``python -m tests.upgrade.release 0.1.0``.

Writes ``tests/upgrade/released/<version>/`` from the code as it is now; commit the folder with the
release and never change it again. ``--into`` writes elsewhere, to try it out.
"""

import argparse
import json
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from tests.services import Services, postgres_bin  # starts a Redis-compatible server as it is imported
from tests.upgrade.program import (
    DUMP,
    FACTS,
    FILE,
    KEYS,
    POSTGRES,
    RELEASED,
    SQLITE,
    Postgres,
    environment,
    python,
)

MOST_BYTES = 1_500_000


def release(version: str, into: Path) -> Path:
    """Make the version's folder; what it holds is written only when all of it is there."""
    from common.keyring import generate_key

    target = into / version
    if target.exists():
        raise SystemExit(f"{target} exists: a release that was made stays as it is.")
    keys = generate_key("released")
    facts: dict[str, Any] = {"version": version, "databases": {}}
    with tempfile.TemporaryDirectory(prefix="ptcu-") as name:
        folder = Path(name)
        draft = folder / "draft"
        draft.mkdir()
        facts["databases"][SQLITE] = _sqlite(folder, keys, draft / FILE)
        facts["databases"][POSTGRES] = _postgres(folder, keys, draft / DUMP)
        (draft / KEYS).write_text(keys + "\n")
        (draft / FACTS).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
        for path in (draft / FILE, draft / DUMP):
            if path.stat().st_size > MOST_BYTES:
                raise SystemExit(f"{path.name} has {path.stat().st_size:,} bytes; keep it small.")
        into.mkdir(parents=True, exist_ok=True)
        shutil.copytree(draft, target)
    return target


def _sqlite(folder: Path, keys: str, file: Path) -> Any:
    database = folder / "filled.sqlite3"
    facts = json.loads(python("tests.upgrade.fill", environment(f"sqlite:///{database}", keys, folder)))
    with sqlite3.connect(database) as source:
        source.execute("vacuum into ?", (str(file),))  # what the write-ahead log holds is in it
    source.close()
    return facts


def _postgres(folder: Path, keys: str, file: Path) -> Any:
    services = Services()
    try:
        database = Postgres(postgres_bin(), services.postgres(), "released")
        database.create()
        facts = json.loads(python("tests.upgrade.fill", environment(database.url, keys, folder)))
        file.write_text(database.dump())
    finally:
        services.stop()
    return facts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("version", help="such as 0.1.0")
    parser.add_argument("--into", type=Path, default=RELEASED)
    chosen = parser.parse_args()
    made = release(chosen.version, chosen.into)
    for path in sorted(made.iterdir()):
        print(f"{path.stat().st_size:>10,}  {path}")
