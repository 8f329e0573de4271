"""What can go wrong in a tool, as one hierarchy that becomes one structured answer."""

from typing import Any, ClassVar


class ConnectorError(Exception):
    """A tool could not do its work. The message is for the model and its user: no secrets.

    ``as_dict()`` is the structured error of every tool: ``error``, ``type``,
    ``status_code``, ``code``, ``retryable``, ``retry_after`` (seconds), ``hint`` (the next
    useful step) and ``request_id``.
    """

    type: ClassVar[str] = "internal"
    status_code: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        retryable: bool = False,
        retry_after: float | None = None,
        hint: str = "",
        upstream_status: int = 0,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.type
        self.retryable = retryable
        self.retry_after = retry_after
        self.hint = hint
        self.upstream_status = upstream_status
        self.details = details or {}

    def as_dict(self, request_id: str = "") -> dict[str, Any]:
        """The error as the client sees it; ``details`` are further fields beside the fixed ones."""
        return {
            "error": self.message,
            "type": self.type,
            "status_code": self.upstream_status or self.status_code,
            "code": self.code,
            "retryable": self.retryable,
            "retry_after": self.retry_after,
            "hint": self.hint,
            "request_id": request_id,
            **self.details,
        }


class InvalidInput(ConnectorError):
    """The arguments break a rule of the tool."""

    type = "validation"
    status_code = 400


class AuthenticationFailed(ConnectorError):
    """The system refused the credential."""

    type = "authentication"
    status_code = 401


class NotPermitted(ConnectorError):
    """The system, or the connection's own settings, forbid this."""

    type = "permission"
    status_code = 403


class NotFound(ConnectorError):
    """The thing that was asked for does not exist."""

    type = "not_found"
    status_code = 404


class Conflict(ConnectorError):
    """Somebody else changed it, or its state forbids the step."""

    type = "conflict"
    status_code = 409


class RateLimited(ConnectorError):
    """Too many calls; ``retry_after`` says when to come back."""

    type = "rate_limit"
    status_code = 429


class TimedOut(ConnectorError):
    """No answer within the deadline."""

    type = "timeout"
    status_code = 504


class ConnectionFailed(ConnectorError):
    """The system could not be reached."""

    type = "connection"
    status_code = 502


class UpstreamError(ConnectorError):
    """The system answered with an error of its own."""

    type = "http_error"
    status_code = 502


class CircuitOpen(ConnectorError):
    """The system failed too often; calls rest until ``retry_after``."""

    type = "circuit_open"
    status_code = 503


class ServerStopping(ConnectorError):
    """Portico is being stopped or restarted, and the call took longer than it waits."""

    type = "server_stopping"
    status_code = 503

    def __init__(self, *, writes: bool = False) -> None:
        super().__init__(
            "The server is stopping and did not wait for the end of this call.",
            retryable=not writes,
            hint="It may have taken effect; look before you repeat it."
            if writes
            else "Try again in a moment.",
        )


class ReadOnly(ConnectorError):
    """A write was asked for where only reading is allowed."""

    type = "read_only"
    status_code = 403


class InternalError(ConnectorError):
    """A mistake of ours; the message tells nothing of the inside."""
