"""What records say: the storage format in requests and answers, Markdown for models."""

import asyncio
from typing import Any, Final

from connectors.providers.confluence.markup import losses_of, to_markdown, to_storage
from connectors.providers.confluence.trim import storage_of

LONG: Final = 50_000  # characters that are converted beside the loop


async def markdown_of(record: dict[str, Any]) -> str:
    """A record's words as Markdown."""
    storage = storage_of(record)
    return await asyncio.to_thread(to_markdown, storage) if len(storage) > LONG else to_markdown(storage)


async def lost_of(storage: str) -> list[str]:
    """What a record's storage format has that its Markdown has not."""
    return await asyncio.to_thread(losses_of, storage) if len(storage) > LONG else losses_of(storage)


async def storage_from(content: str, format: str) -> str:
    """What is sent as a body."""
    if format == "storage":
        return content
    return await asyncio.to_thread(to_storage, content) if len(content) > LONG else to_storage(content)


def body_of(storage: str) -> dict[str, str]:
    """A body as version 2 takes it."""
    return {"representation": "storage", "value": storage}
