"""Form fields from a connector's pydantic models: what its author declared is what an admin sees."""

import enum
import types
import typing
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from portico.admin.forms import JSONArea, LinesField, SecretField

_LONG_TEXT = 500
_SPELLED = {"url": "URL", "api": "API", "id": "ID"}


def model_fields(
    model: type[BaseModel],
    prefix: str,
    stored: Mapping[str, Any],
    *,
    all_secret: bool = False,
    secrets_set: frozenset[str] = frozenset(),
) -> dict[str, forms.Field]:
    """A field ``<prefix>_<name>`` for each of the model's fields.

    ``stored`` are the present values (never secrets); ``all_secret`` treats each text as one;
    ``secrets_set`` names the secrets that are stored, which are then optional: an empty
    answer keeps them.
    """
    return {
        f"{prefix}_{name}": _field(name, info, stored, all_secret, name in secrets_set)
        for name, info in model.model_fields.items()
    }


def model_values(model: type[BaseModel], prefix: str, cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """The form's answers as the model takes them; what was left empty is left out."""
    values = {}
    for name in model.model_fields:
        value = cleaned.get(f"{prefix}_{name}")
        if value is None or value == "":
            continue
        values[name] = value
    return values


def is_secret(info: FieldInfo) -> bool:
    """Whether the field's type says that its value is secret."""
    return _bare(info.annotation)[0] in (SecretStr, SecretBytes)


def _bare(annotation: Any) -> tuple[Any, bool]:
    """The type without ``| None`` and ``Annotated``, and whether None was allowed."""
    optional = False
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif origin in (typing.Union, types.UnionType):
            members = [arg for arg in typing.get_args(annotation) if arg is not type(None)]
            optional = optional or len(members) < len(typing.get_args(annotation))
            if len(members) != 1:
                return annotation, optional
            annotation = members[0]
        else:
            return annotation, optional


def _field(
    name: str, info: FieldInfo, stored: Mapping[str, Any], all_secret: bool, is_set: bool
) -> forms.Field:
    kind, optional = _bare(info.annotation)
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    common: dict[str, Any] = {
        "label": info.title or _label(name),
        "help_text": info.description or "",
        "required": info.is_required() and not is_set,
    }
    if kind in (SecretStr, SecretBytes) or (all_secret and kind is str):
        several = bool(extra.get("multiline")) or name.endswith("private_key")  # PEM: its lines must stay
        return SecretField(is_set=is_set, multiline=several, **common)
    default = None if info.default is PydanticUndefined else info.default
    if info.default_factory is not None:
        default = info.get_default(call_default_factory=True, validated_data={})
    initial = stored.get(name, default)
    common["initial"] = initial.value if isinstance(initial, enum.Enum) else _plain(initial)
    return _typed(kind, optional, info, extra, common)


def _label(name: str) -> str:
    words = [_SPELLED.get(word, word) for word in name.split("_")]
    return f"{words[0][:1].upper()}{words[0][1:]}{''.join(f' {word}' for word in words[1:])}"


def _typed(
    kind: Any, optional: bool, info: FieldInfo, extra: Mapping[str, Any], common: dict[str, Any]
) -> forms.Field:
    if kind is bool:
        common["required"] = False
        if optional:
            return forms.NullBooleanField(**common)
        return forms.BooleanField(**common)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _choice([(item.value, str(item.value)) for item in kind], **common)
    if typing.get_origin(kind) is typing.Literal:
        return _choice([(item, str(item)) for item in typing.get_args(kind)], **common)
    if kind in (int, float, Decimal):
        field = {int: forms.IntegerField, float: forms.FloatField, Decimal: forms.DecimalField}[kind]
        return field(**common, **_bounds(info, kind))  # type: ignore[operator]
    if kind is str:
        longest = next((m.max_length for m in info.metadata if hasattr(m, "max_length")), None)
        if extra.get("multiline") or (longest or 0) > _LONG_TEXT:
            return forms.CharField(widget=forms.Textarea(attrs={"rows": 4}), max_length=longest, **common)
        return forms.CharField(max_length=longest, **common)
    if typing.get_origin(kind) in (list, tuple, set, frozenset):
        inner = [_bare(arg)[0] for arg in typing.get_args(kind) if arg is not Ellipsis]
        if inner and all(arg in (str, int) for arg in inner):
            if "per line" not in common["help_text"]:
                common["help_text"] = f"{common['help_text']} One a line.".strip()
            return LinesField(**common)
    if kind is date:
        return forms.CharField(widget=forms.DateInput(attrs={"type": "date"}), **common)
    if isinstance(kind, type) and not issubclass(kind, BaseModel | dict | list):
        return forms.CharField(**common)  # dates, URLs, UUIDs: pydantic reads them from text
    common["help_text"] = f"{common['help_text']} JSON.".strip()
    return JSONArea(**common)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value


def _choice(choices: list[tuple[Any, str]], **common: Any) -> forms.TypedChoiceField:
    by_text = {str(value): value for value, _ in choices}
    if not common["required"] and common.get("initial") is None:
        choices = [("", "not given"), *choices]
    return forms.TypedChoiceField(
        choices=choices, coerce=lambda text: by_text.get(text, text), empty_value=None, **common
    )


def _bounds(info: FieldInfo, kind: Any) -> dict[str, Any]:
    """Minimum and maximum from the field's constraints; exclusive ones only help for whole numbers."""
    found: dict[str, Any] = {}
    for item in info.metadata:
        if getattr(item, "ge", None) is not None:
            found["min_value"] = item.ge
        if getattr(item, "le", None) is not None:
            found["max_value"] = item.le
        if kind is int and getattr(item, "gt", None) is not None:
            found["min_value"] = item.gt + 1
        if kind is int and getattr(item, "lt", None) is not None:
            found["max_value"] = item.lt - 1
    return found
