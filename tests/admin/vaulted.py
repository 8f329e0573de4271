"""A connector with every kind of setting and with secrets, for the admin's forms."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connectors.base import Connector, Context, tool


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Nested(BaseModel):
    depth: int = 1


class Vaulted(Connector):
    slug = "vaulted"
    title = "Vaulted"
    description = "For tests: settings of all kinds, and secrets."

    class Settings(BaseModel):
        model_config = ConfigDict(extra="forbid")
        region: Annotated[str, Field(min_length=2, max_length=20, description="Which <b>stations</b>.")]
        retries: Annotated[int, Field(ge=0, le=9)] = 3
        ratio: float = 0.5
        verbose: bool = False
        colour: Colour = Colour.RED
        mode: Literal["fast", "safe"] = "safe"
        hosts: list[str] = []
        nested: Nested = Nested()
        note: str | None = None

    class Credentials(BaseModel):
        model_config = ConfigDict(extra="forbid")
        user: str
        token: SecretStr

    @tool(title="Say", hint="R")
    async def vaulted_say(
        self,
        ctx: Context,
        word: Annotated[str, Field(description="What to say.")],
        times: Annotated[int, Field(ge=1, le=5)] = 1,
        loud: bool = False,
    ) -> dict[str, Any]:
        """Say a word."""
        return {"said": [word.upper() if loud else word] * times}

    @tool(title="Wipe", hint="D", toolset="delete", default_on=False)
    async def vaulted_wipe(self, ctx: Context) -> dict[str, Any]:
        """Destroy nothing, but say so."""
        return {"wiped": True}
