"""The base of connectors to Atlassian's products: how a request gets to the right place."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from pydantic import BaseModel

from connectors.atlassian import errors
from connectors.atlassian.auth import CLOUD, AtlassianCredentials, Signed, signed
from connectors.atlassian.site import Product, Site, cloud_id, gateway_url
from connectors.base import ConnectionRef, Connector, Context
from connectors.errors import AuthenticationFailed
from connectors.upstream.answers import Answer
from connectors.upstream.client import Request, client_of
from connectors.upstream.retry import Kind

_MOST_PLACES: Final = 256


@dataclass(frozen=True, slots=True)
class Place:
    """Where a credential works. ``way`` is "site" or "gateway"."""

    base_url: str
    way: str
    cloud: str = ""


class AtlassianConnector(Connector):
    """A connector to one product. ``Settings`` has ``site`` (an address) and may have ``deployment``."""

    product: ClassVar[Product]
    whoami: ClassVar[str]  # the cheapest request that a credential is needed for
    server_info: ClassVar[str] = ""  # where a site says whether it is Cloud or Data Center, if it does
    Credentials: ClassVar[type[BaseModel] | None] = AtlassianCredentials

    def __init__(self, connection: ConnectionRef, settings: BaseModel) -> None:
        super().__init__(connection, settings)
        self._places: OrderedDict[str, Place] = OrderedDict()  # by identity: whose credential it is
        self._cloud: bool | None = None  # once the site has said it

    @property
    def site(self) -> Site:
        """The installation that this connection is to."""
        cloud = getattr(self.settings, "deployment", "cloud") == "cloud"
        return Site(self.settings.site, cloud)

    @classmethod
    def token_credential(cls, token: str) -> dict[str, Any]:
        """A caller's own token is a bearer token."""
        return {"method": "bearer", "token": token}

    async def _send(self, ctx: Context, request: Request) -> Answer:
        """Send a request to where this call's credential works; its errors are in Atlassian's words."""
        credential = await ctx.credential()
        auth = signed(credential)
        place = self._places.get(ctx.identity) or await self._find(ctx, credential, auth)
        asked = replace(request, accept=request.accept | {401}, explain=request.explain or errors.explain)
        answer = await client_of(self.connection, place.base_url).send(ctx, asked, auth)
        if answer.status == 401 and 401 not in request.accept:
            if not errors.scope_missing(answer):
                self._places.pop(ctx.identity, None)  # the next call looks anew
            raise errors.refused(answer)
        return answer

    async def _json(self, ctx: Context, request: Request) -> Any:
        """The answer's JSON; None where it has no body."""
        answer = await self._send(ctx, request)
        return answer.json() if answer.body else None

    async def place(self, ctx: Context) -> Place:
        """Where this call's credential works, found out if need be."""
        known = self._places.get(ctx.identity)
        if known is not None:
            return known
        credential = await ctx.credential()
        return await self._find(ctx, credential, signed(credential))

    async def _find(self, ctx: Context, credential: dict[str, Any], auth: Signed) -> Place:
        """Try the site, then the gateway. Raises AuthenticationFailed where neither takes the credential."""
        site, method = self.site, credential.get("method", "api_token")
        if method not in CLOUD and site.at_atlassian:
            raise AuthenticationFailed(
                "Atlassian Cloud takes neither personal access tokens nor passwords.",
                code="token_refused",
                hint="An admin makes an API token (id.atlassian.com) and chooses api_token in the connection.",
            )
        if method not in CLOUD or not await self.is_cloud(ctx):
            return self._keep(ctx, Place(site.url, "site"))
        refusal: Answer | None = None
        if method != "bearer":
            refusal = await self._tried(ctx, site.url, auth)
            if refusal is None:
                return self._keep(ctx, Place(site.url, "site"))
        cloud = await cloud_id(ctx, self.connection, site)
        behind = gateway_url(site, self.product, cloud)
        refusal_there = await self._tried(ctx, behind, auth)
        if refusal_there is None or errors.scope_missing(refusal_there):
            return self._keep(ctx, Place(behind, "gateway", cloud))
        raise AuthenticationFailed(
            f"Atlassian refused the credential: {errors.explain(refusal or refusal_there)}",
            code="token_refused",
            upstream_status=401,
            hint="An admin checks the e-mail, the token and its end on the connection's page.",
        )

    async def is_cloud(self, ctx: Context) -> bool:
        """Whether the site is Atlassian's Cloud; else it is a Data Center. Asked once in this process."""
        if self._cloud is None:
            self._cloud = await self._told_cloud(ctx)
        return self._cloud

    async def _told_cloud(self, ctx: Context) -> bool:
        site = self.site
        if site.at_atlassian or not self.server_info:
            return site.cloud
        credential = await ctx.credential()
        if credential.get("method", "api_token") not in CLOUD:
            return False
        client = client_of(self.connection, site.url)
        request = Request(
            "GET", self.server_info, Kind.READ, accept=frozenset({401, 403, 404}), max_bytes=100_000
        )
        answer = await client.send(ctx, request)
        if answer.status in (401, 403):  # some tell it to those alone who sign in
            answer = await client.send(ctx, request, signed(credential))
        if not answer.ok:
            return site.cloud
        told = answer.json()
        return isinstance(told, dict) and told.get("deploymentType") == "Cloud"

    async def _tried(self, ctx: Context, base_url: str, auth: Signed) -> Answer | None:
        """The refusal of a credential at a place; None where it was taken.

        A 403 is no refusal of the credential, but of the account in this product: told by the call itself.
        """
        request = Request("GET", self.whoami, Kind.READ, accept=frozenset({401, 403}), explain=errors.explain)
        answer = await client_of(self.connection, base_url).send(ctx, request, auth)
        return answer if answer.status == 401 else None

    def _keep(self, ctx: Context, place: Place) -> Place:
        self._places[ctx.identity] = place
        while len(self._places) > _MOST_PLACES:
            self._places.popitem(last=False)
        return place
