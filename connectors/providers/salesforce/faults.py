"""Salesforce's errors in our words: which kind of failure a code is, and what helps."""

import re
from collections.abc import Callable
from typing import Any, Final

from connectors.errors import (
    AuthenticationFailed,
    Conflict,
    ConnectorError,
    InvalidInput,
    NotFound,
    NotPermitted,
    RateLimited,
    TimedOut,
    UpstreamError,
)
from connectors.upstream.answers import Answer

LOCKED: Final = "UNABLE_TO_LOCK_ROW"
LIMIT: Final = "REQUEST_LIMIT_EXCEEDED"
CHANGED: Final = (
    "Read it again with salesforce_get_record, and repeat the change with the LastModifiedDate it has now."
)
_FIELDS_HINT: Final = "salesforce_get_record_fields lists the object's fields; custom ones end with __c."
_REQUIRED_HINT: Final = "Add the named fields; salesforce_get_record_fields(only='required') lists them."
_PICKLIST_HINT: Final = "salesforce_get_record_fields shows the picklist's values."
_OBJECTS_HINT: Final = "salesforce_list_objects lists the objects; custom ones end with __c."

# https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_concepts_core_data_objects.htm
_CODES: Final[dict[str, tuple[type[ConnectorError], str]]] = {
    "MALFORMED_QUERY": (InvalidInput, ""),
    "MALFORMED_SEARCH": (InvalidInput, "Search for words of two characters or more."),
    "INVALID_FIELD": (InvalidInput, _FIELDS_HINT),
    "INVALID_FIELD_FOR_INSERT_UPDATE": (InvalidInput, "Leave the named fields out: they cannot be set."),
    "INVALID_TYPE": (InvalidInput, _OBJECTS_HINT),
    "INVALID_QUERY_FILTER_OPERATOR": (InvalidInput, "Compare with an operator and a value that fit the field's type."),
    "INVALID_QUERY_LOCATOR": (InvalidInput, "The list has expired at Salesforce: call again without a cursor."),
    "REQUIRED_FIELD_MISSING": (InvalidInput, _REQUIRED_HINT),
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": (InvalidInput, _PICKLIST_HINT),
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": (InvalidInput, "A rule of the org refuses these values."),
    "FIELD_INTEGRITY_EXCEPTION": (InvalidInput, "A value refers to a record that does not fit."),
    "STRING_TOO_LONG": (InvalidInput, "Shorten the named value."),
    "JSON_PARSER_ERROR": (InvalidInput, "A value's type does not fit its field."),
    "MALFORMED_ID": (InvalidInput, "An id has 15 or 18 characters, and belongs to the object named."),
    "EXCEEDED_ID_LIMIT": (InvalidInput, "Name fewer records."),
    "NOT_FOUND": (
        NotFound, "salesforce_query and salesforce_search find records, salesforce_list_objects lists the objects.",
    ),
    "INVALID_CROSS_REFERENCE_KEY": (NotFound, "An id that is named does not exist, or may not be seen."),
    "ENTITY_IS_DELETED": (NotFound, "It is in the recycle bin: salesforce_query(include_deleted=true) finds it."),
    "INSUFFICIENT_ACCESS": (NotPermitted, "The user of the connection lacks the right; an admin of the org gives it."),
    "INSUFFICIENT_ACCESS_OR_READONLY": (NotPermitted, "The user of the connection may not change this record."),
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": (NotPermitted, "The user may not use a record referred to."),
    "FORBIDDEN": (NotPermitted, "The user of the connection lacks the right; an admin of the org gives it."),
    "API_DISABLED_FOR_ORG": (NotPermitted, "This edition of Salesforce has no API, or the user lacks API Enabled."),
    "INVALID_SESSION_ID": (AuthenticationFailed, ""),
    "DUPLICATES_DETECTED": (Conflict, "A record like it exists: find it with salesforce_search and change that one."),
    "DUPLICATE_VALUE": (Conflict, "Another record has this unique value; salesforce_upsert_record changes that one."),
    "DELETE_FAILED": (Conflict, "Other records depend on it: salesforce_get_related_records finds them."),
    "PRECONDITION_FAILED": (Conflict, CHANGED),
    LOCKED: (Conflict, "Another change holds the record: try again in a moment."),
    "QUERY_TIMEOUT": (TimedOut, "Narrow the condition down to indexed fields such as Id, Name or CreatedDate."),
}  # fmt: skip


def faults_of(answer: Answer) -> list[dict[str, Any]]:
    """What Salesforce says is wrong: ``errorCode``, ``message``, ``fields``; empty where it says nothing."""
    try:
        said = answer.json()
    except UpstreamError:
        return []
    rows = [row for row in (said if isinstance(said, list) else [said]) if isinstance(row, dict)]
    inner = [  # an action says of each of its inputs what was wrong with it
        error for row in rows if row.get("isSuccess") is False
        for error in row.get("errors") or () if isinstance(error, dict)
    ]  # fmt: skip
    return inner or [row for row in rows if row.get("errorCode") or row.get("message")]


def is_before_commit(answer: Answer) -> bool:
    """Whether nothing was done and a moment's patience helps: a locked row, too many requests at once."""
    faults = faults_of(answer)
    return bool(faults) and all(
        row.get("errorCode") == LOCKED or (row.get("errorCode") == LIMIT and _is_concurrent(row))
        for row in faults
    )


def _is_concurrent(fault: dict[str, Any]) -> bool:
    return "concurrent" in str(fault.get("message", "")).lower()


# How ids of objects that every org has begin; those of custom ones begin with a letter.
_PREFIXES: Final = {
    "001": "Account", "003": "Contact", "005": "User", "006": "Opportunity", "00Q": "Lead", "00T": "Task",
    "00U": "Event", "500": "Case", "701": "Campaign", "800": "Contract",
}  # fmt: skip


def unknown(object: str, id: str = "") -> Callable[[str], str]:
    """What helps where Salesforce does not know an object, or an id or external id of it."""

    def advise(said: str) -> str:
        if "NOT_FOUND" not in said:
            return ""
        if "external ID field" in said:
            return f"salesforce_get_record_fields(sobject_type='{object}') marks the fields that are external ids."
        custom = "" if "__" in object else f"; a custom one is {object}__c"
        objects = f"salesforce_list_objects(search='{object}') finds the API name of an object{custom}."
        kind = _PREFIXES.get(id[:3], object)
        if kind.lower() != object.lower():
            return f"{id} is the id of a record of {kind}."
        return f"salesforce_search finds records. {objects}" if id else objects

    return advise


class Said:
    """Salesforce's words for one request: given as ``explain``, and remembered for :meth:`refined`."""

    def __init__(self, advise: Callable[[str], str] | None = None) -> None:
        self._faults: list[dict[str, Any]] = []
        self._advise = advise

    def __call__(self, answer: Answer) -> str:
        """The words of an answer, codes first."""
        self._faults = faults_of(answer)
        if not self._faults:
            return answer.excerpt()
        return "; ".join(said_of(row) for row in self._faults[:10])

    def refined(self, error: ConnectorError) -> ConnectorError:
        """The error that fits Salesforce's code, with the next useful step."""
        if not self._faults:
            error.hint = CHANGED if error.upstream_status == 412 else error.hint
            return error
        fault = self._faults[0]
        return error_for(
            str(fault.get("errorCode") or fault.get("statusCode") or ""),
            error.message,
            error,
            advise=self._advise,
            fault=fault,
        )


def said_of(fault: dict[str, Any]) -> str:
    """A fault in one line: code, message, fields."""
    message = re.sub(r"\s+", " ", str(fault.get("message", ""))).strip()[:400]
    fields = ", ".join(map(str, fault.get("fields") or ()))
    code = fault.get("errorCode") or fault.get("statusCode") or ""
    return f"{code}: {message}" + (f" [{fields}]" if fields and fields not in message else "")


def error_for(
    code: str,
    message: str,
    error: ConnectorError | None = None,
    *,
    advise: Callable[[str], str] | None = None,
    fault: dict[str, Any] | None = None,
) -> ConnectorError:
    """The error of a code; ``error`` is what its status alone made of it, ``advise`` knows the query."""
    status = error.upstream_status if error is not None else 0
    if code == LIMIT:
        concurrent = _is_concurrent(fault or {})
        return RateLimited(
            message,
            code="concurrent_limit" if concurrent else "daily_limit",
            retryable=concurrent,
            retry_after=5.0 if concurrent else None,
            upstream_status=status,
            hint="Too many long requests run at once: try again in a moment."
            if concurrent
            else "The org has used up its requests of 24 hours: salesforce_get_limits says what is left. "
            "Do not try again; fetch less, or wait for hours.",
        )
    kind, hint = _CODES.get(
        code, (type(error) if error is not None else InvalidInput, error.hint if error else "")
    )
    if kind is AuthenticationFailed and isinstance(error, AuthenticationFailed):
        return error
    said = (advise(message) if advise is not None else "") or hint
    return kind(
        message,
        code=code,
        # Whether what failed may be sent again its status and its kind have decided: a creation may not.
        retryable=code == LOCKED or (error is not None and error.retryable),
        retry_after=error.retry_after if error is not None else None,
        upstream_status=status,
        hint=said,
    )
