"""The tools for many entries at once."""

from typing import Annotated, Any

from pydantic import Field

from connectors.base import Context, tool
from connectors.errors import InvalidInput
from connectors.providers.memory import types as t
from connectors.providers.memory.base import ANSWER, MemoryBase, characters, in_seconds
from connectors.providers.memory.values import check_key, check_keys, decode, encode


class BatchTools(MemoryBase):
    """Tools that read and write several entries; the connector inherits them."""

    @tool(title="Get several values", hint="R", required=True)
    async def cache_mget(self, ctx: Context, keys: t.Keys) -> t.FoundMany:
        """Read the values of several keys at once; those that are not there are listed as missing.

        Values that would make the answer too long are listed as omitted: ask for them in a further call.
        """
        checked = check_keys(keys)
        answer: t.FoundMany = {"values": {}, "missing": [], "omitted": [], "count": 0}
        room = ANSWER - characters(checked)  # each key is in the answer, whether it has a value or not
        if room < 0:
            raise InvalidInput(
                f"The names of {len(checked):,} keys alone are longer than an answer can be.",
                code="too_many_keys",
                hint="Ask for fewer keys at once.",
            )
        for key, text in zip(checked, await self.store.get_many(checked), strict=True):
            if text is None:
                answer["missing"].append(key)
            elif len(text) > room:
                answer["omitted"].append(key)
            else:
                answer["values"][key] = decode(text)
                room -= len(text)
        answer["count"] = len(answer["values"])
        return answer

    @tool(title="Set several values", hint="I", toolset="write", required=True)
    async def cache_mset(
        self,
        ctx: Context,
        data: Annotated[
            dict[str, Any],
            Field(
                min_length=1, max_length=10_000, description="Keys with their JSON values, at most 10,000."
            ),
        ],
        ttl: t.Ttl = None,
    ) -> t.StoredMany:
        """Store several values at once, all or none: nobody sees a part of them."""
        if not 1 <= len(data) <= 10_000:
            raise InvalidInput("Give 1 to 10,000 entries per call.", code="invalid_data")
        most = self.settings.max_value_bytes
        entries = [(check_key(key), encode(value, most=most, key=key)) for key, value in data.items()]
        lifetime = self.lifetime(ttl)
        _, created, _, _ = await self.store.put(entries, lifetime)
        return {"stored": len(entries), "created": created, "expires_in": in_seconds(lifetime)}
