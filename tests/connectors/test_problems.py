import jsonschema_rs
import pytest

from connectors.problems import problems_of

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "ttl": {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "null"}]},
        "state": {"enum": ["pending", "ready", "blocked", "completed", "failed"]},
        "format": {"anyOf": [{"enum": ["json", "csv", "markdown"]}, {"type": "null"}]},
        "day": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$", "description": "The day, YYYY-MM-DD."},
        "size": {"anyOf": [{"type": "number"}, {"type": "string", "maxLength": 2}, {"type": "null"}]},
        "word": {"type": "string", "maxLength": 3},
    },
}
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ttl": -1}, "-1 is less than or equal to the minimum of 0"),
        ({"ttl": "x"}, '"x" is not of type "number"'),
        ({"state": "done"}, '"done" is not one of: pending, ready, blocked, completed, failed'),
        ({"format": "xml"}, '"xml" is not one of: json, csv, markdown'),
        ({"day": "today"}, '"today" does not match "^\\d{4}-\\d{2}-\\d{2}$" (The day, YYYY-MM-DD.)'),
        ({"size": "long"}, '"long" is longer than 2 characters'),
        ({"size": []}, '[] is not of type "number" or: [] is not of type "string"'),
        ({"Day": "x"}, "Additional properties are not allowed ('Day' was unexpected)"),
    ],
)
def test_a_problem_says_what_would_be_right(arguments, message):
    assert [problem["message"] for problem in problems_of(VALIDATOR, SCHEMA, arguments)] == [message]


def test_a_long_value_is_not_repeated_in_full():
    (problem,) = problems_of(VALIDATOR, SCHEMA, {"state": "s" * 100_000})
    assert len(problem["message"]) < 700
    assert problem["message"].endswith("blocked, completed, failed")


def test_a_secret_argument_is_not_repeated():
    (problem,) = problems_of(VALIDATOR, SCHEMA, {"word": "hunter2"}, ("word",))
    assert problem == {"path": "word", "message": "is not valid"}
