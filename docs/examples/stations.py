"""A small complete connector: the example of docs/write-a-connector.md."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr

from connectors.base import CheckResult, Connector, Context, prompt, resource, tool
from connectors.errors import AuthenticationFailed, NotFound

READINGS = {"harbour": 11.5, "summit": -3.0, "valley": 14.0}  # stands for a system elsewhere


class Reading(BaseModel):
    """The answer of ``get_temperature``; its fields become the tool's output schema."""

    station: str
    temperature: float = Field(description="In the unit of the connection's settings.")
    unit: str


Station = Annotated[str, Field(description="The name of a station.", max_length=40)]


class Stations(Connector):
    """Weather stations, with a token."""

    slug = "stations"
    title = "Weather stations"
    description = "Temperatures of our stations."
    instructions = "List the stations first; temperatures are measured each hour."

    class Settings(BaseModel):
        """What an admin fills in; anybody with a right to the connection may read it."""

        unit: Literal["celsius", "fahrenheit"] = Field("celsius", description="The unit of temperatures.")

    class Credentials(BaseModel):
        """What is encrypted and never shown again."""

        token: SecretStr = Field(description="The stations' access token.")

    async def check(self, ctx: Context) -> CheckResult:
        """What *test connection* does."""
        await self._sign_in(ctx)
        return CheckResult(True, f"{len(READINGS)} stations answer.")

    @tool(title="List stations", hint="R")
    async def list_stations(self, ctx: Context) -> dict[str, list[str]]:
        """The names of all stations."""
        await self._sign_in(ctx)
        await ctx.progress(1, 1, "All stations found")
        return {"stations": sorted(READINGS)}

    @tool(title="Get a temperature", hint="R")
    async def get_temperature(self, ctx: Context, station: Station) -> Reading:
        """The latest temperature at a station."""
        await self._sign_in(ctx)
        if station not in READINGS:
            raise NotFound(f"There is no station {station!r}.", hint="list_stations has the names.")
        unit, celsius = self.settings.unit, READINGS[station]
        value = celsius if unit == "celsius" else celsius * 9 / 5 + 32
        return Reading(station=station, temperature=value, unit=unit)

    @resource(
        "stations://station/{station}",
        title="A station",
        mime_type="text/plain",
        complete={"station": "station_names"},
    )
    async def station_page(self, ctx: Context, station: str) -> str:
        """A station in one line."""
        if station not in READINGS:
            raise NotFound(f"There is no station {station!r}.")
        return f"{station}: {READINGS[station]} °C"

    async def station_names(self, ctx: Context, value: str, arguments: dict[str, str]) -> list[str]:
        """Completes a station's name."""
        return [name for name in sorted(READINGS) if name.startswith(value)]

    @prompt("compare_stations", title="Compare two stations", complete={"first": "station_names"})
    async def compare_stations(self, ctx: Context, first: Station, second: Station) -> str:
        """Ask for a comparison of two stations."""
        return f"Compare the temperatures at {first} and {second}, and say what to wear at each."

    async def _sign_in(self, ctx: Context) -> None:
        credential = await ctx.credential()  # decrypted for this call alone; never keep it
        if credential["token"] == "expired":  # noqa: S105
            raise AuthenticationFailed("The stations refuse the token.", hint="Ask an admin for a new one.")
