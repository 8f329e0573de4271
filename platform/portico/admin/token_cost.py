"""What tenants' lists of tools cost a model, for the pages that show it; estimates all."""

from dataclasses import dataclass

from connectors.catalogue import catalogue_of, is_deferred
from connectors.snapshot import TenantSnapshot
from mcp_endpoint.token_cost import MANY_TOKENS, list_tokens
from tenants.principals import Caller, PrincipalKind, Role, Selection


@dataclass(frozen=True, slots=True)
class Cost:
    """``listed`` is what ``tools/list`` shows now, ``whole`` what it would show with every tool in it."""

    tools: int
    listed: int
    whole: int
    deferred: bool

    @property
    def is_much(self) -> bool:
        """Whether listing fewer tools, or the deferred mode, is worth a thought."""
        return not self.deferred and self.whole >= MANY_TOKENS


def cost_of(snapshot: TenantSnapshot, endpoint: str = "") -> Cost:
    """The cost for whoever may use most: an owner without patterns of an access key."""
    caller = Caller(
        snapshot.tenant, snapshot.tenant.id, PrincipalKind.SERVICE_ACCOUNT, "", Role.OWNER,
        selection=Selection(endpoint) if endpoint else None,
    )  # fmt: skip
    own = catalogue_of(snapshot, caller)
    return Cost(
        len(own.tools), list_tokens(own.listed), list_tokens(own.tools), is_deferred(snapshot, caller)
    )
