"""Atlassian's refusals in their own words.

Jira: ``{"errorMessages": [...], "errors": {field: message}}``; Confluence v2: ``{"errors":
[{"title", "detail"}]}``, v1: ``{"message"}``; the gateway: ``{"code", "message"}``.
"""

from typing import Any

from connectors.errors import AuthenticationFailed, ConnectorError, NotPermitted
from connectors.upstream.answers import Answer, error_of, masked

_SCOPE = "scope does not match"


def explain(answer: Answer) -> str:
    """What the product says is wrong, by field where it names them."""
    if "CAPTCHA" in answer.headers.get("x-authentication-denied-reason", ""):
        return "After too many wrong passwords it asks for a captcha: the account signs in once in a browser."
    try:
        told: Any = answer.json()
    except ConnectorError:
        return answer.excerpt()
    if not isinstance(told, dict):
        return answer.excerpt()
    said = [str(text) for text in told.get("errorMessages") or []]
    errors = told.get("errors")
    if isinstance(errors, dict):
        said += [f"{name}: {text}" for name, text in errors.items()]
    elif isinstance(errors, list):
        said += [_one(each) for each in errors]
    if not said and told.get("message"):
        said.append(str(told["message"]))
    if reason := answer.headers.get("ratelimit-reason"):
        said.append(f"({reason})")
    words = " ".join(part for part in said if part)
    return masked(words, answer.secrets) or answer.excerpt()  # a system may quote what it was sent


def fields_of(answer: Answer) -> dict[str, str]:
    """Jira's errors by field; empty where it names none."""
    try:
        told = answer.json()
    except ConnectorError:
        return {}
    errors = told.get("errors") if isinstance(told, dict) else None
    return {str(name): str(text) for name, text in errors.items()} if isinstance(errors, dict) else {}


def scope_missing(answer: Answer) -> bool:
    """Whether the gateway knows the token, and misses a scope in it."""
    return answer.status in (401, 403) and _SCOPE in answer.text[:2000]


def refused(answer: Answer) -> ConnectorError:
    """The error of a 401, told apart: a right that the token lacks, or a bad token."""
    if scope_missing(answer):
        return NotPermitted(
            "The token has no scope for this.",
            code="scope_missing",
            upstream_status=answer.status,
            hint="An admin makes a token with the scope; Test connection lists what is missing.",
        )
    found = error_of(answer, explain)
    return (
        found
        if answer.status != 401
        else AuthenticationFailed(found.message, code="token_refused", upstream_status=401, hint=found.hint)
    )


def _one(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    if isinstance(inner := error.get("elementErrors"), dict):  # of several issues made at once
        named = [f"{name}: {text}" for name, text in (inner.get("errors") or {}).items()]
        words = " ".join([*map(str, inner.get("errorMessages") or []), *named])
        return f"issues[{error.get('failedElementNumber')}]: {words}"
    parts = (error.get("title"), error.get("detail"), error.get("message"))
    return ": ".join(dict.fromkeys(str(part) for part in parts if part))
