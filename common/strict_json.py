"""The one parser for JSON that comes from outside.

``json`` keeps the last of two equal keys, ``orjson`` does so too and turns integers beyond
64 bits into floats, and both would let two readers of one body see different values. Here a
body means one thing or is refused, with a sentence that says what is wrong (never what was
sent). RFC 8259, I-JSON (RFC 7493) for keys, numbers and text.
"""

import json
from typing import Any, NoReturn

MAX_DEPTH = 64
_MIN_INT, _MAX_INT = -(2**63), 2**64 - 1


class StrictJSONError(ValueError):
    """The bytes are not one strict JSON value; the message is safe to send back."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise StrictJSONError("An object has the same key twice.")
    return made


def _integer(text: str) -> int:
    if len(text) > 18:
        number = int(text) if len(text) <= 21 else _MAX_INT + 1
        if not _MIN_INT <= number <= _MAX_INT:
            raise StrictJSONError("An integer does not fit into 64 bits; send it as a string.")
        return number
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise StrictJSONError("A number is too large for a double.")
    return number


def _constant(name: str) -> NoReturn:
    raise StrictJSONError(f"{name} is not JSON; use null or a string.")


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_constant
)
_decode = _decoder.decode


def loads(data: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """The value of a UTF-8 JSON text.

    Refuses (:class:`StrictJSONError`): text that is not UTF-8 or not JSON, equal keys in an
    object, NaN and infinities, integers beyond 64 bits, halves of surrogate pairs, and more
    than ``max_depth`` levels of nesting.
    """
    try:
        value = _decode(data.decode("utf-8"))
    except StrictJSONError:
        raise
    except UnicodeDecodeError:
        raise StrictJSONError("The text is not UTF-8.") from None
    except RecursionError:
        raise StrictJSONError(f"Nested deeper than {max_depth} levels.") from None
    except json.JSONDecodeError as error:
        raise StrictJSONError(f"{error.msg} (line {error.lineno}, column {error.colno}).") from None
    except ValueError:
        raise StrictJSONError("A number cannot be read.") from None
    # Brackets in strings only make the count larger, so a small count needs no second look.
    if data.count(b"{") + data.count(b"[") > max_depth and _deeper_than(value, max_depth):
        raise StrictJSONError(f"Nested deeper than {max_depth} levels.")
    if b"\\ud" in data or b"\\uD" in data:
        _refuse_half_surrogates(value)
    return value


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    depth = 0
    while level:
        depth += 1
        if depth > limit:
            return True
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
    return False


def _refuse_half_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise StrictJSONError("A text holds half of a surrogate pair.") from None
