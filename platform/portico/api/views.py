"""What the API's views share: authentication, errors, pages, and finding a tenant's things."""

from typing import Any, NoReturn
from uuid import UUID

from django.db.models import Model
from django.http import Http404
from rest_framework.exceptions import NotAuthenticated, ValidationError
from rest_framework.pagination import CursorPagination, PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.views import APIView

from portico.api.auth import (
    HOW,
    Access,
    BasicAuthentication,
    BearerAuthentication,
    IsAuthenticated,
    SessionAuthentication,
    access_of,
)
from portico.api.parsing import StrictJSONParser
from tenants.models import Tenant
from tenants.principals import Role


class Pages(PageNumberPagination):
    """Numbered pages of 50, up to 200 with ``page_size``."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200


class View(APIView):
    """A view of the API; subclasses translate between JSON and services."""

    authentication_classes = [BearerAuthentication, BasicAuthentication, SessionAuthentication]
    permission_classes = [IsAuthenticated]
    parser_classes = [StrictJSONParser]

    def permission_denied(
        self, request: Request, message: str | None = None, code: str | None = None
    ) -> NoReturn:
        """A stranger gets a 401 with a sentence that helps."""
        raise NotAuthenticated(HOW)

    def access(self) -> Access:
        """Who calls."""
        return access_of(self.request)

    def tenant(self, slug: str, at_least: Role = Role.VIEWER) -> Tenant:
        """The tenant of the path, if the caller may reach it with this role."""
        return self.access().tenant(slug, at_least)

    def page(self, rows: Any, serializer: type[BaseSerializer[Any]], pages: Any = None) -> Response:
        """A page of rows, or what ``pages`` (a paginator) makes of them."""
        paginator = pages or Pages()
        found: Any = paginator.paginate_queryset(rows, self.request, view=self)
        answer: Response = paginator.get_paginated_response(serializer(found, many=True).data)
        return answer


class AuditPages(CursorPagination):
    """Pages of 100 events by position, since new ones come in all the time."""

    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1000
    ordering = ("-seq",)


def said(serializer: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    """The valid body of a request. Raises a 400 with every field at fault, unknown ones too."""
    form = serializer(data=request.data)
    form.is_valid(raise_exception=True)
    unknown = sorted(set(request.data) - set(form.fields))
    if unknown:
        known = ", ".join(form.fields)
        raise ValidationError(
            {name: [f"There is no such field; the fields are {known}."] for name in unknown}
        )
    return dict(form.validated_data)


def queried(request: Request, name: str) -> str:
    """A parameter of the query as a database can compare it; empty where it is not given."""
    return request.query_params.get(name, "").replace("\x00", "")


def one(rows: Any, **lookup: Any) -> Any:
    """The one row of a tenant's queryset that matches, or Http404."""
    found = rows.filter(**lookup).first()
    if found is None:
        raise Http404
    return found


def one_by_id(model: type[Model], tenant: Tenant, value: Any) -> Any:
    """A tenant's row by its UUID, or Http404."""
    try:
        key = value if isinstance(value, UUID) else UUID(str(value))
    except ValueError as error:
        raise Http404 from error
    return one(model.objects.for_tenant(tenant), pk=key)  # type: ignore[attr-defined]
