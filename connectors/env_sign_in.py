"""How to sign in, from what an environment file has: a credential with its method, of what was read."""

from collections.abc import Mapping
from typing import Any, Final


class NotUnderstoodError(ValueError):
    """A value that its field cannot be read from; the sentence says what would do, never the value."""


def atlassian_sign_in(credential: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """One field has whichever secret the method means.

    Some files name an API token of the cloud "personal token" or "password": an e-mail and a cloud
    site tell. A site of one's own with a token and no name has a personal one, whatever it is called.
    """
    email, token, personal, password = (
        credential.get(name) for name in ("email", "token", "personal_token", "password")
    )
    site = str(settings.get("site") or "")
    cloud = ".atlassian.net" in site
    own = bool(site) and not cloud
    if own and (personal or (token and not email)):
        return {"method": "personal_access_token", "token": personal or token}
    if token or (personal and email and cloud):
        return {"method": "api_token", "email": email, "token": token or personal}
    if personal:
        return {"method": "personal_access_token", "token": personal}
    if password:
        return {"method": "api_token" if cloud else "password", "email": email, "token": password}
    return {"method": "api_token", "email": email}


# What each way to sign in needs, and what more it takes.
_SALESFORCE_WAYS: Final[dict[str, tuple[set[str], set[str]]]] = {
    "password": ({"username", "password"}, {"security_token", "client_id", "client_secret"}),
    "jwt_bearer": ({"client_id", "username", "private_key"}, set()),
    "refresh_token": ({"client_id", "refresh_token"}, {"client_secret"}),
    "client_credentials": ({"client_id", "client_secret"}, set()),
    "access_token": ({"access_token"}, set()),
}


def salesforce_way(value: str) -> str:
    """``SALESFORCE_CONNECTION_TYPE`` as servers have it: User_Password, OAuth_2.0_Client_Credentials."""
    said = value.lower().replace("-", "_").replace(" ", "_")
    for way in (*_SALESFORCE_WAYS, "jwt"):
        if way in said:
            return "jwt_bearer" if way == "jwt" else way
    raise NotUnderstoodError("what the file has says how to sign in")


def salesforce_sign_in(credential: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The way that the file names; else the first one for which it has everything."""
    has = {name for name, value in credential.items() if value}
    method = credential.get("method") or next(
        (name for name, (needed, _more) in _SALESFORCE_WAYS.items() if needed <= has),
        "password" if "username" in has else "client_credentials",
    )
    taken = set.union(*_SALESFORCE_WAYS[method])
    return {"method": method} | {name: value for name, value in credential.items() if name in taken}


def github_sign_in(credential: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """A token where there is one, else an app."""
    token = str(credential.get("token") or "")
    if not token:
        return {"method": "app", **credential}
    return {"method": "fine_grained" if token.startswith("github_pat_") else "classic", "token": token}
