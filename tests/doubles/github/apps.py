"""GitHub Apps: an app's signed word, and installation tokens for it."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from tests.doubles.accounts import Account
from tests.doubles.double import route
from tests.doubles.github import records
from tests.doubles.github.double import refuse
from tests.doubles.github.search import Search
from tests.doubles.messages import Answer, Request
from tests.doubles.moments import now, zulu

APP_ID, INSTALLATION = "4711", 9001


class Apps(Search):
    """An app that is installed at octo. ``app_key`` is its public key (PEM); without it no word is good."""

    def fill(self) -> None:
        super().fill()
        self.app_key = ""
        self.app_lives_s = 3600.0
        self.app_permissions = {
            "metadata": "read",
            "contents": "write",
            "issues": "write",
            "pull_requests": "write",
        }
        self.app_tokens: list[str] = []
        self.narrowed: list[list[str]] = []

    def _app(self, request: Request) -> None:
        """Refuse who is not the app."""
        word = request.headers.get("authorization", "").partition(" ")[2]
        try:
            claims = jwt.decode(
                word, self.app_key, algorithms=["RS256"], options={"require": ["exp", "iat", "iss"]}
            )
        except (jwt.PyJWTError, ValueError) as error:
            raise refuse(401, "A JSON web token could not be decoded") from error
        if claims["iss"] != APP_ID or claims["exp"] - claims["iat"] > 660:
            raise refuse(401, "'Expiration time' claim ('exp') is too far in the future")

    @route("GET", "/app", anonymous=True)
    def app(self, request: Request) -> Any:
        self._app(request)
        moment = zulu(now())
        return {
            "id": int(APP_ID), "slug": "portico-bot", "node_id": "", "name": "Portico Bot", "description": None,
            "owner": records.user(request.base_url, self.people["octo"]), "external_url": request.base_url,
            "html_url": f"{request.base_url}/apps/portico-bot", "created_at": moment, "updated_at": moment,
            "permissions": dict(self.app_permissions), "events": [],
        }  # fmt: skip

    @route("POST", "/app/installations/{installation_id}/access_tokens", anonymous=True)
    def install_token(self, request: Request) -> Answer:
        self._app(request)
        if int(request.parameters["installation_id"]) != INSTALLATION:
            raise refuse(404, "Not Found")
        names = (request.json or {}).get("repositories", [])
        if any(f"octo/{name}".lower() not in self.repos for name in names):
            raise refuse(422, "There is at least one repository that does not exist or is not accessible.")
        self.narrowed.append(names)
        token = f"ghs_{secrets.token_hex(18)}"
        self.app_tokens.append(token)
        self.door.tokens[token] = Account("3", "octo", "bot@example.com")
        until = datetime.now(UTC) + timedelta(seconds=self.app_lives_s)
        return Answer(201, {
            "token": token, "expires_at": zulu(until), "permissions": dict(self.app_permissions),
            "repository_selection": "selected" if names else "all",
        })  # fmt: skip

    @route("GET", "/installation/repositories")
    def installed_on(self, request: Request) -> Any:
        rows = [self.told_repo(request, row) for row in self.repos.values() if row["owner"] == "octo"]
        page = self.page(request, rows)
        page.json = {"total_count": len(rows), "repositories": page.json}
        return page
