"""A personal credential that is missing: the person is sent to a page of Portico to store it.

Secrets never pass through the client: it opens the page's URL, which carries none, and the
page asks its visitor to sign in to Portico (URL elicitation, SEP-1036).
"""

from typing import Final, NoReturn
from urllib.parse import quote
from uuid import UUID, uuid4

from django.conf import settings

from connectors.asking import Answer, CapabilityMissing, ElicitURL
from connectors.base import ConnectionRef
from connectors.channel import Channel
from connectors.errors import AuthenticationFailed, NotPermitted
from tenants.principals import Caller, PrincipalKind

KEY: Final = "portico_connect"
FOR: Final = "for"  # names whose credential it is, so that the page can tell a visitor who is somebody else


def connect_url(tenant: str, connection: str, principal_id: UUID) -> str:
    """The page on which a member stores their own credential of a connection."""
    path = f"/t/{quote(tenant)}/connect/{quote(connection)}/?{FOR}={principal_id}"
    return f"{settings.PORTICO_PUBLIC_URL}{path}"


def page_for(caller: Caller, connection: ConnectionRef) -> ElicitURL | None:
    """What the person behind this caller is asked to open; None for a program, which signs in nowhere."""
    if caller.principal_kind is not PrincipalKind.MEMBERSHIP:
        return None
    return ElicitURL(
        f"{connection.name} needs a credential of your own. Open the page, sign in to Portico as "
        f"{caller.principal_name} and store it there; then go on here.",
        connect_url(caller.tenant.slug, connection.slug, caller.principal_id),
        uuid4().hex,
    )


def not_connected(caller: Caller, connection: ConnectionRef, page: ElicitURL | None) -> AuthenticationFailed:
    """The error of a call whose caller has no credential of their own."""
    return AuthenticationFailed(
        f"The connection {connection.slug} has no credential of {caller.principal_name} yet.",
        code="no_credential",
        hint=f"Ask them to open {page.url} and to store it there; then call again."
        if page
        else "Each member stores their own; a service account uses a connection with a shared credential.",
    )


def declined(connection: ConnectionRef) -> AuthenticationFailed:
    """The error of a call whose person does not want to store a credential."""
    return AuthenticationFailed(
        f"The person did not want to sign in to {connection.name}.",
        code="declined",
        hint="Do not call it again unless they ask for it.",
    )


async def have_connected(caller: Caller, connection: ConnectionRef, channel: Channel) -> NoReturn:
    """Have the person store their credential, where the client can send them to the page.

    Raises InputRequired for that, else AuthenticationFailed with the page in its hint: also
    after the person agreed, as long as nothing is stored.
    """
    page = page_for(caller, connection)
    if page is not None:
        try:
            answer = Answer.of(await channel.open_page(KEY, page))
        except (NotPermitted, CapabilityMissing):  # this client opens no pages
            raise not_connected(caller, connection, page) from None
        if not answer.accepted:
            raise declined(connection)
    raise not_connected(caller, connection, page)
