"""The base of every row that belongs to a tenant, and the manager that keeps tenants apart.

``Model.objects`` refuses to run a query that names no tenant. Code that really must look
across tenants (a platform page, a migration, a purge) says so with ``Model.unscoped``,
which is easy to find and listed in a guard test.
"""

import builtins
import uuid
from typing import Any, ClassVar, Self, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)

_TENANT_KEYS = frozenset({"tenant", "tenant_id", "tenant__slug", "tenant__id"})


class UnscopedQueryError(RuntimeError):
    """A query on a tenant's table named no tenant."""


class TenantQuerySet(models.QuerySet[M]):
    """A queryset that runs only after it was narrowed to one tenant.

    Narrowing is ``for_tenant(tenant)`` or a ``tenant=``/``tenant_id=`` keyword in
    ``filter``, ``get``, ``create`` and their kin. Anything that would reach the database
    before that raises :class:`UnscopedQueryError`.
    """

    _scoped = False

    def _clone(self) -> Self:
        clone = super()._clone()  # type: ignore[misc]
        clone._scoped = self._scoped
        return clone

    def for_tenant(self, tenant: Any) -> Self:
        """Narrow to one tenant, given as an instance or as its id."""
        return self.filter(tenant_id=getattr(tenant, "pk", tenant))

    def _filter_or_exclude(self, negate: bool, args: Any, kwargs: Any) -> Self:
        clone = super()._filter_or_exclude(negate, args, kwargs)  # type: ignore[misc]
        if not negate and _TENANT_KEYS.intersection(kwargs):
            clone._scoped = True
        return clone

    def _combined(self, result: Any, other: Any, scoped: bool) -> Any:
        # With an empty side Django hands back the other side itself, which keeps its own state.
        if result is not self and result is not other:
            result._scoped = scoped
        return result

    def __and__(self, other: Any) -> Any:
        return self._combined(super().__and__(other), other, self._scoped or _is_scoped(other))

    def __or__(self, other: Any) -> Any:
        return self._combined(super().__or__(other), other, self._scoped and _is_scoped(other))

    def __xor__(self, other: Any) -> Any:
        return self._combined(super().__xor__(other), other, self._scoped and _is_scoped(other))

    def union(self, *others: Any, all: bool = False) -> Any:
        """As Django's; every side must be narrowed."""
        result = super().union(*others, all=all)
        result._scoped = self._scoped and builtins.all(_is_scoped(other) for other in others)
        return result

    def _demand_scope(self) -> None:
        if not self._scoped and not self.query.is_empty():
            raise UnscopedQueryError(
                f"{self.model.__name__}.objects was used without a tenant: "
                "call .for_tenant(tenant), or use .unscoped where crossing tenants is the point."
            )

    def _fetch_all(self) -> None:
        if self._result_cache is None:  # type: ignore[has-type]
            self._demand_scope()
        super()._fetch_all()  # type: ignore[misc]

    def iterator(self, *args: Any, **kwargs: Any) -> Any:
        """As Django's, for a narrowed queryset."""
        self._demand_scope()
        return super().iterator(*args, **kwargs)

    def count(self) -> int:
        """As Django's, for a narrowed queryset."""
        self._demand_scope()
        return super().count()

    def exists(self) -> bool:
        """As Django's, for a narrowed queryset."""
        self._demand_scope()
        return super().exists()

    def aggregate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As Django's, for a narrowed queryset."""
        self._demand_scope()
        return super().aggregate(*args, **kwargs)

    def update(self, **kwargs: Any) -> int:
        """As Django's, for a narrowed queryset."""
        self._demand_scope()
        return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        """As Django's, for a narrowed queryset."""
        self._demand_scope()
        return super().delete()


def _is_scoped(other: Any) -> bool:
    return bool(getattr(other, "_scoped", False))


class TenantModel(models.Model):
    """A row of one tenant: a UUID for identity and the foreign key that walls it in."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", on_delete=models.CASCADE, related_name="+", editable=False)

    # ``unscoped`` comes first so that Django's own machinery (admin, uniqueness checks,
    # related managers, which are narrowed by their relation) has a manager that works.
    unscoped: ClassVar[models.Manager[Any]] = models.Manager()
    objects: ClassVar[models.Manager[Any]] = models.Manager.from_queryset(TenantQuerySet)()

    class Meta:
        abstract = True
        default_manager_name = "unscoped"
        base_manager_name = "unscoped"
