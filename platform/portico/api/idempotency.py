"""``Idempotency-Key``: a POST that is sent again gets the first answer again, for a day.

Follows draft-ietf-httpapi-idempotency-key-header: the same key with another request is 422,
a key whose first request is still running is 409.
"""

import hashlib
import os
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from common.keyring import ring
from portico.api.auth import access_of
from portico.api.errors import Problem
from tenants.models import IdempotentReply

KEPT_FOR = timedelta(hours=24)
STUCK_AFTER = timedelta(minutes=2)
HEADER = "Idempotency-Key"


def idempotent(view: Callable[..., Response]) -> Callable[..., Response]:
    """Make a POST method answer a repeated key with its first answer."""

    @wraps(view)
    def wrapper(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER, "")
        if not key:
            return view(self, request, *args, **kwargs)
        if len(key) > 200 or not key.isprintable():
            raise Problem(400, "Not valid", f"{HEADER} has 1 to 200 printable characters.", code="invalid")
        owner = access_of(request).owner
        digest = hashlib.sha256(
            orjson.dumps([request.method, request.path, request.data], option=orjson.OPT_SORT_KEYS)
        ).hexdigest()
        row = _claim(owner, key, digest)
        if isinstance(row, Response):
            return row
        try:
            response = view(self, request, *args, **kwargs)
        except BaseException:
            row.delete()  # nothing was done, so the key stays free for a corrected request
            raise
        IdempotentReply.objects.filter(pk=row.pk).update(
            status=response.status_code, body=_sealed(row, orjson.dumps(response.data, default=str))
        )
        return response

    return wrapper


def _claim(owner: str, key: str, digest: str) -> IdempotentReply | Response:
    """A new row for this key, or the stored answer."""
    IdempotentReply.objects.filter(created_at__lt=timezone.now() - KEPT_FOR, owner=owner).delete()
    try:
        with transaction.atomic():
            return IdempotentReply.objects.create(owner=owner, key=key, digest=digest)
    except IntegrityError:
        pass
    row = IdempotentReply.objects.filter(owner=owner, key=key).first()
    if row is None or (not row.status and row.created_at < timezone.now() - STUCK_AFTER):
        IdempotentReply.objects.filter(owner=owner, key=key, status=0).delete()
        raise Problem(409, "Try again", "The first request with this key did not end; send it again.")
    if row.digest != digest:
        raise Problem(
            422, "Key already used", f"This {HEADER} was used for another request; use a new one.",
            code="idempotency_key_reused",
        )  # fmt: skip
    if not row.status:
        raise Problem(409, "Still running", "The first request with this key is still running.")
    return Response(orjson.loads(_opened(row)), status=row.status, headers={"Idempotency-Replayed": "true"})


def _sealed(row: IdempotentReply, body: bytes) -> bytes:
    keys = ring()
    kid, nonce = keys.current.encode(), os.urandom(12)
    sealed = AESGCM(keys.derive(keys.current, "idempotent-reply")).encrypt(nonce, body, _bound(row))
    return bytes([len(kid)]) + kid + nonce + sealed


def _opened(row: IdempotentReply) -> bytes:
    data = bytes(row.body)
    start = 1 + data[0]
    key = ring().derive(data[1:start].decode(), "idempotent-reply")
    return AESGCM(key).decrypt(data[start : start + 12], data[start + 12 :], _bound(row))


def _bound(row: IdempotentReply) -> bytes:
    return f"{row.owner}\0{row.key}".encode()
