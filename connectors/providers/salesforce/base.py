"""What all tools of Salesforce stand on: signing in, one way to the REST API, and the allow-list."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote

from connectors.base import Connector
from connectors.calling import Context
from connectors.errors import Conflict, ConnectorError, InvalidInput, UpstreamError
from connectors.providers.salesforce import credentials
from connectors.providers.salesforce.allowed import Allowed, Kept, Links, links_of
from connectors.providers.salesforce.auth import Pasted, Session, Sessions, SignedIn
from connectors.providers.salesforce.faults import Said, is_before_commit, unknown
from connectors.upstream.answers import Answer
from connectors.upstream.client import Request, client_of
from connectors.upstream.retry import Kind

_kept: Final = Kept()
_ID: Final = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")


class SalesforceBase(Connector):
    """An org of Salesforce; the groups of tools inherit from this."""

    slug = "salesforce"
    title = "Salesforce"
    description = "Accounts, contacts, opportunities, cases, activities and all other objects of an org."
    Settings = credentials.Settings
    Credentials = credentials.Credentials

    @cached_property
    def allowed(self) -> Allowed:
        """The objects this connection is for."""
        return Allowed(self.settings.objects)

    def token_source(self) -> Sessions:
        """Who gets sessions with the stored credential."""
        return Sessions(self.connection, self.settings)

    @classmethod
    def token_credential(cls, token: str) -> dict[str, Any]:
        """A bare token is a session: an access token."""
        return {"method": "access_token", "access_token": token}

    async def _session(self, ctx: Context) -> Session:
        credential = await ctx.credential()
        if credential.get("method") == "access_token":
            return Pasted(self.settings, credential["access_token"])
        return SignedIn(ctx, self.token_source(), self.settings)

    async def _send(
        self, ctx: Context, request: Request, *, advise: Callable[[str], str] | None = None, data: bool = True
    ) -> tuple[Answer, str]:
        """Send a request below the REST API (``data=False``: below the host) of the org.

        The answer, and the org's address for links. Raises ConnectorError with Salesforce's own code.
        """
        session = await self._session(ctx)
        instance = await session.instance()
        said = Said(advise)
        path = (
            f"services/data/v{self.settings.api_version}/{request.path}".rstrip("/") if data else request.path
        )
        whole = replace(request, path=path, explain=said, before_commit=is_before_commit)
        try:
            return await client_of(self.connection, instance).send(ctx, whole, session), instance
        except ConnectorError as error:
            raise said.refined(error) from None

    async def _get(
        self, ctx: Context, path: str, params: Mapping[str, Any] | None = None, **more: Any
    ) -> tuple[Any, str]:
        """Read something: its JSON, an object with what it ``needs`` or another ``kind``, and the org's address."""
        headers, needs, kind = more.pop("headers", None), more.pop("needs", ()), more.pop("kind", dict)
        answer, instance = await self._send(
            ctx, Request("GET", path, Kind.READ, params=params, headers=headers), **more
        )
        return shaped(answer, *needs, kind=kind), instance

    async def _links(self, ctx: Context, object: str) -> Links:
        """An object's relationships."""
        key = (self.connection.id, self.connection.version, ctx.identity, object.lower())
        found = _kept.get(key)
        if found is None:
            described, _ = await self._get(ctx, f"sobjects/{part(object)}/describe", advise=unknown(object))
            found = links_of(described)
            _kept.put(key, found)
        return found

    async def _demand_query(self, ctx: Context, query: str) -> None:
        await self.allowed.demand_query(query, lambda object: self._links(ctx, object))

    async def _demand_one(self, ctx: Context, object: str, id: str) -> None:
        """Hold a record's object and, where there is a list, also its id against the allow-list."""
        self.allowed.demand(object)
        if self.allowed:
            await self._demand_own(ctx, object, [id])

    async def _demand_own(self, ctx: Context, object: str, ids: Sequence[str]) -> None:
        """Refuse ids of other objects."""
        links = await self._links(ctx, object)
        if strange := [id for id in ids if not links.prefix or id[:3] != links.prefix]:
            raise InvalidInput(
                f"{strange[0]} is the id of no {object}.", code="MALFORMED_ID",
                hint=f"Ids of {object} begin with {links.prefix}." if links.prefix else "",
            )  # fmt: skip

    async def _demand_key(self, ctx: Context, object: str, field: str) -> None:
        """Hold an object and the field that names a record of it against the allow-list.

        What stands there in the path may be an id too, with a relationship behind it that leads to
        another object (REST API, "Traverse Relationships with Friendly URLs").
        """
        self.allowed.demand(object)
        if not self.allowed:
            return
        keys = (await self._links(ctx, object)).keys
        if field.lower() not in keys:
            raise InvalidInput(
                f"{field} is no external id of {object}.", code="INVALID_FIELD",
                hint=f"Such fields of it: {', '.join(sorted(keys)) or 'none'}.",
            )  # fmt: skip

    async def _demand_paths(self, ctx: Context, object: str, paths: list[str] | None) -> None:
        """Hold names that stand in no query against the allow-list."""
        self.allowed.demand(object)
        if self.allowed:
            for path in paths or ():
                await self.allowed.demand_path(object, path, lambda name: self._links(ctx, name))


def shaped(answer: Answer, *needs: str, kind: type = dict, look: str = "") -> Any:
    """An answer's JSON, of a kind and with the members that it needs; ``look`` is what helps where it is not.

    Raises UpstreamError: a gateway's page or an org in maintenance has JSON of its own.
    """
    found: Any = answer.json()
    fits = isinstance(found, kind)
    if fits and all(found.get(name) is not None for name in needs):
        return found
    raise UpstreamError(
        f"Salesforce answered with something else than was asked for: {answer.excerpt()}",
        code="unexpected_answer", upstream_status=answer.status, hint=look,
    )  # fmt: skip


def several_records(answer: Answer) -> Conflict:
    """The error of an external id that is not one record's alone (HTTP 300)."""
    found = answer.json()
    ids = [str(url).rpartition("/")[2] for url in found][:20] if isinstance(found, list) else []
    return Conflict(
        "Several records have this value.", code="several_records", details={"ids": ids},
        hint="Read one of them with salesforce_get_record, and go on with its id.",
    )  # fmt: skip


def part(text: str) -> str:
    """A value as one part of a path."""
    return quote(text, safe="")


def record_id(text: str) -> str:
    """A record's id. Raises InvalidInput for anything else."""
    if not _ID.fullmatch(text):
        raise InvalidInput(
            f"{text[:40]!r} is no id of Salesforce.",
            code="MALFORMED_ID",
            hint="It has 15 or 18 characters; salesforce_search finds records by their names.",
        )
    return text
