"""A form from a tool's JSON Schema: simple arguments get simple fields, the rest is written as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms

from portico.admin.forms import JSONArea, LinesField, PorticoForm

_LONG_TEXT = 300
_PREFIX = "arg_"


_PRIMITIVE = {"string", "integer", "number", "boolean", "null"}


class LooseField(forms.CharField):
    """A number, a truth value or a text, whichever the typed text looks like."""

    def clean(self, value: Any) -> Any:
        """``4`` is a number, ``4h`` a text, ``"4"`` (in quotes) a text as well."""
        text = super().clean(value)
        try:
            parsed = json.loads(text)
        except ValueError:
            return text
        return parsed if isinstance(parsed, str | int | float | bool) else text


class ArgumentsForm(PorticoForm):
    """The arguments of one tool, by fields or as raw JSON; ``mode`` says which of the two counts."""

    def __init__(
        self, schema: Mapping[str, Any], choices: list[tuple[str, Any]], *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.schema = schema
        run_as = forms.ChoiceField(
            choices=choices,
            label="Run as",
            help_text="It only narrows: what you may not do yourself, you may not do as somebody else.",
        )
        self.fields["run_as"] = run_as
        self.fields["mode"] = forms.ChoiceField(
            choices=[("form", "form"), ("raw", "raw")],
            required=False,
            widget=forms.HiddenInput,
            initial="form",
        )
        self.fields["confirm"] = forms.BooleanField(
            required=False,
            label="I agree to this call",
            help_text="This tool runs only after somebody has agreed to the call.",
        )
        required = set(schema.get("required", ()))
        for name, sub in schema.get("properties", {}).items():
            self.fields[_PREFIX + name] = _field(name, resolve(sub, schema), name in required, schema)
        self.fields["raw"] = JSONArea(
            rows=12, required=False, label="Arguments", help_text="A JSON object.", initial=example(schema)
        )
        if self.is_bound and self.data.get("mode") == "raw":
            for name in self.fields:
                if name.startswith(_PREFIX):
                    self.fields[name].required = False
        from portico.admin.forms import dress

        dress(self)

    @property
    def argument_fields(self) -> list[forms.BoundField]:
        """The bound fields of the arguments."""
        return [self[name] for name in self.fields if name.startswith(_PREFIX)]

    @property
    def mode_now(self) -> str:
        """``form`` or ``raw``."""
        return "raw" if self.is_bound and self.data.get("mode") == "raw" else "form"

    def clean(self) -> dict[str, Any]:
        """Raw arguments must be an object."""
        values = super().clean() or {}
        if self.mode_now == "raw":
            for name in [name for name in self.errors if name.startswith(_PREFIX)]:
                del self.errors[name]
            if "raw" not in self.errors and not isinstance(values.get("raw") or {}, dict):
                self.add_error("raw", "Write a JSON object, such as {}.")
        elif "raw" in self.errors:
            del self.errors["raw"]
        return values

    def arguments(self) -> dict[str, Any]:
        """What the tool is called with: fields left empty are left out."""
        if self.mode_now == "raw":
            return self.cleaned_data.get("raw") or {}
        found = {}
        for name in self.schema.get("properties", {}):
            value = self.cleaned_data.get(_PREFIX + name)
            if value is None or value == "" or value == []:
                continue
            found[name] = value
        return found


def resolve(sub: Any, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A property's schema with its ``$ref`` followed and ``| null`` taken away (noted as ``x-optional``)."""
    seen = 0
    while isinstance(sub, dict) and seen < 10:
        seen += 1
        reference = sub.get("$ref", "")
        if isinstance(reference, str) and reference.startswith("#/$defs/"):
            rest = {key: value for key, value in sub.items() if key != "$ref"}
            sub = {**schema.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {}), **rest}
            continue
        options = sub.get("anyOf")
        if isinstance(options, list):
            kept = [option for option in options if option.get("type") != "null"]
            if len(kept) == 1 and len(kept) < len(options):
                rest = {key: value for key, value in sub.items() if key != "anyOf"}
                sub = {**kept[0], **rest, "x-optional": True}
                continue
        break
    return sub if isinstance(sub, dict) else {}


def example(
    schema: Mapping[str, Any], root: Mapping[str, Any] | None = None, depth: int = 0
) -> dict[str, Any]:
    """An object to start from: what is required, with its default or an empty value."""
    root = schema if root is None else root
    required = set(schema.get("required", ()))
    return {
        name: _example_value(resolve(sub, root), root, depth)
        for name, sub in schema.get("properties", {}).items()
        if name in required
    }


def _example_value(sub: dict[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    if "default" in sub:
        return sub["default"]
    if sub.get("enum"):
        return sub["enum"][0]
    kind = sub.get("type")
    if kind == "object" and depth < 3:
        return example(sub, root, depth + 1)
    if kind == "array" and depth < 3 and sub.get("minItems"):
        return [_example_value(resolve(sub.get("items", {}), root), root, depth + 1)]
    return {"string": "", "integer": 0, "number": 0, "boolean": False, "array": [], "object": {}}.get(
        str(kind)
    )


def _field(name: str, sub: dict[str, Any], required: bool, root: Mapping[str, Any]) -> forms.Field:
    common: dict[str, Any] = {
        "label": name,
        "required": required,
        "help_text": _help(sub),
        "initial": sub.get("default"),
    }
    kind = sub.get("type")
    if "enum" in sub or "const" in sub:
        values = sub.get("enum", [sub.get("const")])
        by_text = {str(value): value for value in values}
        choices = [(str(value), str(value)) for value in values]
        if not required:
            choices = [("", "not given"), *choices]
        return forms.TypedChoiceField(
            choices=choices, coerce=lambda text: by_text.get(text, text), empty_value=None, **common
        )
    if kind == "boolean":
        common["initial"] = {"True": "true", "False": "false"}.get(str(sub.get("default")), "")
        return forms.TypedChoiceField(
            choices=[("", "not given"), ("true", "yes"), ("false", "no")]
            if not required
            else [("true", "yes"), ("false", "no")],
            coerce=lambda text: text == "true",
            empty_value=None,
            **common,
        )
    if kind in ("integer", "number"):
        bounds: dict[str, Any] = {"min_value": sub.get("minimum"), "max_value": sub.get("maximum")}
        return (forms.IntegerField if kind == "integer" else forms.FloatField)(**common, **bounds)
    if kind == "string":
        longest = sub.get("maxLength")
        if isinstance(longest, int) and longest > _LONG_TEXT:
            return forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), strip=False, **common)
        return forms.CharField(strip=False, **common)
    options = sub.get("anyOf") or sub.get("oneOf") or []
    if options and all(option.get("type") in _PRIMITIVE for option in options):
        return LooseField(**common)
    items = sub.get("items")
    if kind == "array" and isinstance(items, dict) and items.get("type") == "string":
        common["help_text"] = f"{common['help_text']} One a line.".strip()
        return LinesField(**common)
    common["help_text"] = f"{common['help_text']} JSON.".strip()
    if common["initial"] is None and required:
        common["initial"] = _example_value(sub, root, 0)
    return JSONArea(**common)


def _help(sub: dict[str, Any]) -> str:
    parts = [str(sub.get("description", ""))]
    low, high = sub.get("minimum"), sub.get("maximum")
    if low is not None and high is not None:
        parts.append(f"From {low} to {high}.")
    if sub.get("default") not in (None, "", [], {}) and not isinstance(sub.get("default"), bool):
        parts.append(f"Default: {json.dumps(sub['default'], ensure_ascii=False)}.")
    return " ".join(part for part in parts if part)
