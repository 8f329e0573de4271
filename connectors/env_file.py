"""Environment files as people have them: ``NAME=value`` lines, ``export``, quotes, comments."""

import re
from dataclasses import dataclass, field
from typing import Final

MAX_BYTES: Final = 1_000_000
_LINE = re.compile(
    r"\s*(?:(?:export|set)\s+|\$env:)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=[ \t]*(.*)", re.DOTALL | re.IGNORECASE
)
_SET = re.compile(r'(\s*set\s+)"([^"]*)"\s*', re.IGNORECASE)  # as cmd.exe quotes: the name as well
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}
# What sample files have where a value belongs.
_SAMPLE = re.compile(
    r"(?i)<[^>]*>|(https?://[\w.-]*)?<[\w .-]+>\.[\w.-]+(/.*)?|([a-z0-9]+_)*[a-z0-9]*x{4,}|x{3}|[\w!-]*\.{3,}|\*{3,}"
    r"|change[-_ ]?me|todo|none|null|(https?://)?(your|enter|insert|replace)[-_ ].*|.*[-_ ](here|goes[-_ ]here)"
    r"|(https?://)?your?-?(own)?(company|domain|instance|org|organi[sz]ation|server|site|tenant|workspace)[\w-]*(\.\S*)?"
    r"|(https?://)?(company|example|mycompany|mydomain)\.(atlassian\.net|my\.salesforce\.com)(/.*)?"
    r"|(you|user|username|your[\w.-]*|name|e?mail|me)@(your|my)?-?(company|domain|example|organi[sz]ation)\.[a-z]+"
)
_REFERENCE = re.compile(r"\$\{\w+(:?[-+?=][^}]*)?\}|^\$[A-Z]+_[A-Z0-9_]+$|\$\([^)]+\)|^%\w+%$")


@dataclass(slots=True)
class EnvFile:
    """A file's values by name, names that stand twice, and the numbers of lines that are no assignment."""

    values: dict[str, str] = field(default_factory=dict, repr=False)
    twice: list[str] = field(default_factory=list)
    odd_lines: list[int] = field(default_factory=list)

    def spelled(self, name: str) -> list[str]:
        """How the file spells a name, whose case does not count."""
        return [found for found in self.values if found.upper() == name]


def read_env(text: str) -> EnvFile:
    """Read a file's text; of a name that stands twice the last value counts, as in a shell.

    A quoted value may go over several lines (keys in PEM). Nothing is expanded or run.
    """
    made, lines, at = EnvFile(), text.removeprefix("\ufeff").splitlines(), 0
    while at < len(lines):
        first, line = at + 1, lines[at]
        at += 1
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(_SET.sub(r"\1\2", line))
        if found is None:
            made.odd_lines.append(first)
            continue
        name, rest = found[1], found[2]
        if name in made.values and name not in made.twice:
            made.twice.append(name)
        if rest[:1] in ("'", '"', "`"):
            end = _end_of(rest)
            while end < 0 and at < len(lines):
                rest, at = f"{rest}\n{lines[at]}", at + 1
                end = _end_of(rest)
            if end < 0:  # a quote that nobody closed: the line as it stands
                at = first
                made.odd_lines.append(first)
                continue
            made.values[name] = _unescaped(rest[1:end]) if rest[0] == '"' else rest[1:end]
        else:
            made.values[name] = re.split(r"\s#", rest, maxsplit=1)[0].strip()
    return made


def _end_of(text: str) -> int:
    """Where the quote that a text begins with is closed; -1 where it is not."""
    quote, at = text[0], 1
    while at < len(text):
        if text[at] == "\\" and quote == '"':
            at += 1
        elif text[at] == quote:
            return at
        at += 1
    return -1


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text)


def is_sample(value: str) -> bool:
    """Whether a value is what sample files have in its place (``your-token-here``, ``<token>``)."""
    return _SAMPLE.fullmatch(value.strip()) is not None


def is_reference(value: str) -> bool:
    """Whether a value is to be made by a shell (``${OTHER}``, ``$(command)``): nothing is expanded here."""
    return _REFERENCE.search(value.strip()) is not None
