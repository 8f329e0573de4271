"""Bodies of requests: the same strict JSON as at the MCP endpoints, so that a body means one thing."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from common.strict_json import StrictJSONError, loads


class StrictJSONParser(JSONParser):
    """JSON without equal keys, infinities, integers beyond 64 bits and halves of characters.

    Django REST framework's own parser takes them all, and what comes after it fails on them
    (keys of idempotency, PostgreSQL) or keeps another value than was sent (null for 1e999).
    """

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The body's value. Raises a 400 that says what is wrong."""
        try:
            return loads(stream.read())
        except StrictJSONError as error:
            raise ParseError(f"The body is not valid JSON: {error}") from None
