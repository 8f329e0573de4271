"""A call's arguments: checked against the tool's schema, and made what its method takes."""

from typing import Any

from connectors.base import ToolSpec
from connectors.errors import InvalidInput
from connectors.problems import MAX_PROBLEMS, problems_of
from connectors.snapshot import ToolEntry


def renamed(entry: ToolEntry, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments by their present names, where a call uses a former one of the connector's."""
    known = entry.spec.input_schema["properties"]
    made = dict(arguments)
    for old, new in entry.connection.connector.argument_aliases.items():
        if old in made and new not in made and new in known and old not in known:
            made[new] = made.pop(old)
    return made


def without_nulls(spec: ToolSpec, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments without optional ones that are null where the schema knows no null: as if left out.

    Many models write every argument of a schema, and null for those that they do not use.
    """
    known, required = spec.input_schema["properties"], spec.input_schema.get("required", ())
    return {
        name: value
        for name, value in arguments.items()
        if value is not None or name in required or name not in known or _takes_null(known[name])
    }


def _takes_null(schema: Any) -> bool:
    """Whether a property's schema may have null for a value; where it cannot be told, it may."""
    if not isinstance(schema, dict) or "$ref" in schema or "const" in schema:
        return True
    if any(_takes_null(one) for word in ("anyOf", "oneOf") for one in schema.get(word, ())):
        return True
    if "enum" in schema:
        return None in schema["enum"]
    kinds = schema.get("type")
    if kinds is None:
        return "anyOf" not in schema and "oneOf" not in schema
    return "null" in ([kinds] if isinstance(kinds, str) else kinds)


def validate(entry: ToolEntry, arguments: dict[str, Any]) -> None:
    """Check arguments against the tool's JSON Schema. Raises InvalidInput naming each problem."""
    spec = entry.spec
    try:
        if entry.validator.is_valid(arguments):
            return
        problems = problems_of(entry.validator, spec.input_schema, arguments, spec.secret_arguments)
    except (ValueError, RecursionError):  # the validator goes down some 250 levels
        problems = [{"path": "", "message": "They are nested too deeply."}]
    raise invalid_arguments(entry.name, problems)


def invalid_arguments(name: str, problems: list[dict[str, str]]) -> InvalidInput:
    """The error for arguments that break the schema."""
    said = "; ".join(f"{p['path'] or 'arguments'}: {p['message']}" for p in problems)
    return InvalidInput(
        f"The arguments of {name} are not valid: {said}",
        code="invalid_arguments",
        hint="Correct the named arguments and call again.",
        details={"problems": problems},
    )


def keyword_arguments(spec: ToolSpec, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments as the method's types want them. Raises InvalidInput."""
    try:
        model = spec.arguments.model_validate(arguments)
    except ValueError as error:
        issues = getattr(error, "errors", list)
        raise invalid_arguments(
            spec.name,
            [
                {"path": "/".join(map(str, issue["loc"])), "message": issue["msg"]}
                for issue in issues()[:MAX_PROBLEMS]
            ],
        ) from None
    return {name: getattr(model, name) for name in type(model).model_fields}
