"""What the services of this room refuse, for edges to translate into form errors and problems."""


class TenantError(Exception):
    """A refused change. ``message`` is a sentence for people; ``field`` names the input at fault.

    ``code`` is stable and meant for programs.
    """

    code = "invalid"

    def __init__(self, message: str, field: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.code = code or type(self).code


class InvalidValue(TenantError):
    """A value that this field cannot have."""


class SlugTaken(TenantError):
    """Another tenant has this slug."""

    code = "slug_taken"


class SlugImmutable(TenantError):
    """A slug was to be changed; it is part of URLs that clients hold."""

    code = "slug_immutable"


class AlreadyThere(TenantError):
    """The member or the service account's name exists in this tenant."""

    code = "already_exists"


class NotAllowed(TenantError):
    """The actor's role does not cover this change."""

    code = "not_allowed"


class LastOwner(TenantError):
    """The change would leave the tenant without an owner."""

    code = "last_owner"


class WrongState(TenantError):
    """The thing is not in the state that this change needs."""

    code = "wrong_state"


class InvitationInvalid(TenantError):
    """The invitation does not exist, was used or has expired; which one is not told."""

    code = "invitation_invalid"
