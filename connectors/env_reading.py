"""What an environment file has for each connector, read by its table; nothing is looked up or changed here."""

from dataclasses import dataclass, field
from typing import Any, Final

from connectors.env_file import EnvFile, is_reference, is_sample
from connectors.env_names import TABLES, Row, Table
from connectors.env_sign_in import NotUnderstoodError

_TOKENS: Final = ("ATATT", "ATCTT", "ghp_", "gho_", "ghu_", "ghs_", "github_pat_")


@dataclass
class Planned:
    """A connection that a file describes, and what became of it.

    ``took`` has pairs of a name in the file and the field it went to, ``left`` pairs of a name
    and the reason. ``action`` is create, update, unchanged or refused; ``problem`` says why.
    """

    connector: str
    slug: str = ""
    action: str = ""
    problem: str = ""
    took: list[tuple[str, str]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict, repr=False)
    credential: dict[str, Any] = field(default_factory=dict, repr=False)
    network: dict[str, Any] = field(default_factory=dict, repr=False)
    read_only: bool | None = None


def planned_from(file: EnvFile) -> list[Planned]:
    """The connections that a file describes."""
    return _meant([one for table in TABLES if (one := _read(table, file)) is not None])


def _meant(found: list[Planned]) -> list[Planned]:
    """Without those that only names of several connectors speak of, where these serve another one."""
    shared = {table.connector: table.shared for table in TABLES if table.shared}

    def own(one: Planned) -> bool:
        prefix = shared.get(one.connector)
        return prefix is None or any(not name.upper().startswith(prefix) for name, _ in _named(one))

    served = {name for one in found if own(one) for name, _ in _named(one)}
    return [
        one for one in found if own(one) or one.settings or not {name for name, _ in _named(one)} <= served
    ]


def _named(one: Planned) -> list[tuple[str, str]]:
    return [pair for pair in (*one.took, *one.left) if not pair[0].upper().startswith("READ_ONLY")]


def _read(table: Table, file: EnvFile) -> Planned | None:
    """What a file has for one connector; None where it names it nowhere."""
    made = Planned(table.connector)
    wins: dict[str, str] = {}
    for row in table.rows:
        for known in row.names:
            for name in file.spelled(known):
                _take(made, wins, row, name, file.values[name].strip(), file)
    if not any(name.upper().startswith(table.prefixes) for name, _ in (*made.took, *made.left)):
        return None
    if made.credential:
        _prefer_own(made, table)
        _choose(made, table)
    return made


def _prefer_own(made: Planned, table: Table) -> None:
    """Leave secrets under shared names where one has the connector's own name: they are of another system."""
    secrets = [pair for pair in made.took if pair[1] in ("token", "personal_token", "password")]
    shared = [pair for pair in secrets if table.shared and pair[0].upper().startswith(table.shared)]
    if shared and len(shared) < len(secrets):
        own = next(name for name, part in secrets if (name, part) not in shared)
        for name, part in shared:
            del made.credential[part]
            made.took.remove((name, part))
            made.left.append((name, f"{own} counts"))


def _choose(made: Planned, table: Table) -> None:
    """Decide how to sign in, and leave what another way would need."""
    chosen = table.sign_in(made.credential, made.settings)
    unused = [name for name, value in made.credential.items() if value not in chosen.values()]
    made.left += [(name, f"{chosen['method']} needs none") for name, part in made.took if part in unused]
    made.took = [pair for pair in made.took if pair[1] not in unused]
    made.credential = chosen


def _take(made: Planned, wins: dict[str, str], row: Row, name: str, value: str, file: EnvFile) -> None:
    if not value:
        made.left.append((name, "empty"))
    elif row.field in wins:
        winner = wins[row.field]
        same = _plain(file.values[winner]) == _plain(value)
        made.left.append(
            (name, f"{winner} says it already" if same else f"differs from {winner}, which counts")
        )
    elif is_sample(value):
        made.left.append((name, "a sample's value, not yours"))
    elif is_reference(value):
        made.left.append((name, "refers to something else; write the value itself"))
    elif not row.field.startswith("credential.") and value.startswith(_TOKENS):
        made.left.append((name, "a token, and this is not kept as a secret"))
    else:
        _read_value(made, wins, row, name, value)


def _plain(value: str) -> str:
    """A value without what often differs where the same is meant."""
    return value.strip().lower().removeprefix("https://").rstrip("/")


def _read_value(made: Planned, wins: dict[str, str], row: Row, name: str, value: str) -> None:
    try:
        read = row.read(value)
    except NotUnderstoodError as error:
        made.left.append((name, f"not understood: {error}"))
        return
    if read is None:
        made.left.append((name, "says nothing that differs"))
        return
    wins[row.field] = name
    where, _, part = row.field.partition(".")
    if where == "connection":
        made.read_only = read
    else:
        getattr(made, where)[part] = read
    made.took.append((name, part))
    if row.begins and not value.startswith(row.begins):
        made.warnings.append(
            f"{name} does not begin like a token of {made.connector} ({', '.join(row.begins)}); it was taken as it is"
        )
    if part == "verify" and not read:
        made.warnings.append(
            f"{name}: certificates will not be checked; better give the authority's certificate"
        )
