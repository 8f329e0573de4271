"""How large tools' answers are beside the vendor's own to the same question."""

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpx2

Row = tuple[str, dict[str, Any], str]  # a tool, its arguments, and the path that a plain client asks
AT_MOST = 0.5


async def shares(
    call: Callable[..., Awaitable[Any]], rows: Iterable[Row], base_url: str, **client: Any
) -> dict[str, float]:
    """Each answer's size by that of the raw one; ``client`` are options of the plain client (``auth=``).

    ``call(tool, **arguments)`` gives what the tool answered. Raises AssertionError where either
    failed, or the two hold another number of records.
    """
    found = {}
    async with httpx2.AsyncClient(base_url=base_url, **client) as http:
        for tool, arguments, path in rows:
            answer, raw = await call(tool, **arguments), await http.get(path)
            assert raw.status_code == 200, (tool, raw.text)
            assert "error" not in answer, (tool, answer)
            if "items" in answer:
                assert len(answer["items"]) == _count(raw.json()), (tool, "another number of records")
            found[tool] = len(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()) / len(raw.content)  # fmt: skip
    return found


def _count(raw: Any) -> int:
    """The length of the list that an answer is or holds."""
    return (
        len(raw)
        if isinstance(raw, list)
        else max(len(part) for part in raw.values() if isinstance(part, list))
    )


def demand_small(found: dict[str, float], at_most: float = AT_MOST) -> None:
    """Raise AssertionError that names the answers which are too large."""
    large = {tool: round(share, 2) for tool, share in found.items() if share > at_most}
    assert not large, f"larger than {at_most:.0%} of the vendor's answer: {large}"
