"""Signing in to Salesforce: the grants of its token endpoint, and login() of the SOAP API."""

import base64
import re
import secrets
from urllib.parse import parse_qs
from xml.sax.saxutils import unescape

import jwt

from tests.doubles.accounts import Account
from tests.doubles.double import Double, route
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import now

USER = "005000000000001AAA"


class SignIn(Double):
    """Who is let in, and with which session."""

    ada: Account
    client: tuple[str, str]
    password: str
    refresh: str
    rotates: bool
    certificate: str

    @route("POST", "/services/oauth2/token", anonymous=True)
    def token(self, request: Request) -> Answer:
        form = {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
        client = (form.get("client_id", ""), form.get("client_secret", ""))
        scheme, _, pair = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            name, _, secret = base64.b64decode(pair).decode().partition(":")
            client = (name, secret)
        if form["grant_type"].endswith(":jwt-bearer"):
            return self._asserted(request, form.get("assertion", ""))
        if client[0] != self.client[0]:
            return _no_token("invalid_client_id", "client identifier invalid")
        if client != self.client:
            return _no_token("invalid_client", "invalid client credentials")
        match form["grant_type"]:
            case "client_credentials":
                pass
            case "password":
                if (form.get("username"), form.get("password")) != (self.ada.email, self.password):
                    return _no_token("invalid_grant", "authentication failure")
            case "refresh_token":
                if form.get("refresh_token") != self.refresh:
                    return _no_token("invalid_grant", "expired access/refresh token")
                more = {"refresh_token": self._rotated()} if self.rotates else {}
                return self._session(request, more)
            case _:
                return _no_token("unsupported_grant_type", "grant type not supported")
        return self._session(request, {})

    def _rotated(self) -> str:
        self.refresh = f"5Aep{secrets.token_hex(20)}"
        return self.refresh

    def _asserted(self, request: Request, assertion: str) -> Answer:
        """The JWT bearer flow: who signed with the app's certificate is who they say."""
        try:
            claims = jwt.decode(
                assertion, self.certificate, algorithms=["RS256"], audience="https://login.salesforce.com"
            )
        except (jwt.PyJWTError, ValueError):
            return _no_token("invalid_grant", "invalid assertion")
        if claims["iss"] != self.client[0] or claims["sub"] != self.ada.email:
            return _no_token("invalid_grant", "user hasn't approved this consumer")
        return self._session(request, {})

    @route("POST", "/services/Soap/u/64.0", anonymous=True)
    def soap_login(self, request: Request) -> Answer:
        def told(name: str) -> str:
            found = re.search(f"<n1:{name}>(.*?)</n1:{name}>", request.body.decode())
            return unescape(found[1]) if found else ""

        if (told("username"), told("password")) != (self.ada.email, self.password):
            said = "INVALID_LOGIN: Invalid username, password, security token; or user locked out."
            fault = f"<sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode><sf:exceptionMessage>{said}</sf:exceptionMessage>"
            return _xml(500, f'<f xmlns:sf="urn:fault.partner.soap.sforce.com">{fault}</f>')
        token = self._open()
        server = f"<serverUrl>{request.base_url}/services/Soap/u/64.0/00D000000000001</serverUrl>"
        return _xml(200, f"<result>{server}<sessionId>{token}</sessionId></result>")

    def _open(self) -> str:
        token = f"00D000000000001!{secrets.token_hex(16)}"
        self.door.tokens[token] = self.ada
        return token

    def _session(self, request: Request, more: dict[str, str]) -> Answer:
        token = self._open()
        return Answer(200, {
            "access_token": token, "instance_url": request.base_url, "token_type": "Bearer", "scope": "api",
            "id": f"{request.base_url}/id/00D000000000001AAA/{USER}", "issued_at": str(int(now().timestamp() * 1000)),
            "signature": "c2FuZGJveA==", **more,
        })  # fmt: skip


def _no_token(error: str, description: str) -> Answer:
    return Answer(400, {"error": error, "error_description": description})


def _xml(status: int, body: str) -> Answer:
    return Answer(status, headers={"content-type": "text/xml"}, body=f"<?xml version='1.0'?>{body}".encode())
