"""The allow-list of a connection: which objects its queries and paths may touch.

A dotted name reaches into another object, and a subquery in SELECT names a relationship
instead of an object: Salesforce's own descriptions say which objects those are. They are kept
in this process for a while, for whoever signs in with the same credential.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.errors import InvalidInput, NotPermitted
from connectors.providers.salesforce.soql import Scope, scopes_of

KEPT_S: Final = 3600.0
MAX_KEPT: Final = 2000

# Whose name stands on a record belongs to the record; the rest of a user does not.
_PEOPLE: Final = frozenset({"owner", "createdby", "lastmodifiedby"})
_OF_PEOPLE: Final = frozenset({"id", "name"})


@dataclass(frozen=True, slots=True)
class Links:
    """An object's relationships by lowercase name: to the objects of parents, and of children."""

    parents: Mapping[str, tuple[str, ...]]
    children: Mapping[str, str]
    name: str = ""
    prefix: str = ""
    keys: frozenset[str] = frozenset()  # fields that a record can be addressed by, in lowercase
    title: str = ""  # the field that people know a record by
    searchable: bool = True


Describe = Callable[[str], Awaitable[Links]]


def links_of(described: Mapping[str, Any]) -> Links:
    """The relationships in a describe result."""
    parents = {
        str(field["relationshipName"]).lower(): tuple(map(str, field.get("referenceTo") or ()))
        for field in described.get("fields") or ()
        if field.get("relationshipName")
    }
    children = {
        str(child["relationshipName"]).lower(): str(child.get("childSObject", ""))
        for child in described.get("childRelationships") or ()
        if child.get("relationshipName")
    }
    keys = frozenset(
        str(field["name"]).lower()
        for field in described.get("fields") or ()
        if field.get("externalId") or field.get("idLookup")
    )
    name, prefix = str(described.get("name", "")), str(described.get("keyPrefix") or "")
    title = next(
        (str(field["name"]) for field in described.get("fields") or () if field.get("nameField")), ""
    )
    searchable = bool(described.get("searchable", True))
    return Links(parents, children, name, prefix, keys, title, searchable)


class Kept:
    """Descriptions of objects, by who asked for them."""

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[Any, ...], tuple[float, Links]] = OrderedDict()

    def get(self, key: tuple[Any, ...]) -> Links | None:
        """The description, where it is fresh."""
        found = self._found.get(key)
        return found[1] if found is not None and time.monotonic() < found[0] else None

    def put(self, key: tuple[Any, ...], links: Links) -> None:
        """Keep a description; the oldest go first."""
        self._found[key] = (time.monotonic() + KEPT_S, links)
        self._found.move_to_end(key)
        while len(self._found) > MAX_KEPT:
            self._found.popitem(last=False)


class Allowed:
    """The objects of a connection; without any, all are allowed."""

    def __init__(self, objects: Collection[str]) -> None:
        self._names = {name.lower(): name for name in objects}

    def __bool__(self) -> bool:
        return bool(self._names)

    def names(self) -> list[str]:
        """The objects in the spelling of the settings."""
        return list(self._names.values())

    def has(self, object: str) -> bool:
        """Whether an object may be touched."""
        return not self._names or object.lower() in self._names

    def demand(self, object: str) -> None:
        """Raise NotPermitted for an object that is not in the list."""
        if not self.has(object):
            listed = ", ".join(sorted(self._names.values())[:30])
            raise NotPermitted(
                f"This connection is not for {object[:80]}.",
                code="object_not_allowed",
                hint=f"Its objects are: {listed}. An admin changes them on the connection's page.",
            )

    def demand_none(self, why: str) -> None:
        """Raise NotPermitted where there is a list, for what no list can be held against."""
        if self._names:
            raise NotPermitted(
                f"This connection is for some objects alone, and {why}.",
                code="all_objects_needed",
                hint="An admin connects the org once more without a list of objects for this.",
            )

    async def demand_query(self, query: str, describe: Describe) -> None:
        """Raise NotPermitted or InvalidInput unless all that a query touches is in the list."""
        if not self._names:
            return
        objects: dict[int, str] = {}
        for scope in scopes_of(query):
            object = await self._object(scope, objects, describe)
            self.demand(object)
            objects[id(scope)] = object
            for path in scope.paths:
                await self.demand_path(object, path, describe, relation=scope.object)

    async def _object(self, scope: Scope, objects: Mapping[int, str], describe: Describe) -> str:
        if scope.kind != "child" or scope.parent is None:
            return scope.object
        return await self.child(await self._outer(scope, objects, describe), scope.object, describe)

    async def _outer(self, scope: Scope, objects: Mapping[int, str], describe: Describe) -> str:
        """The object of the query around a subquery of SELECT; its FROM comes after the subquery."""
        assert scope.parent is not None
        found = objects.get(id(scope.parent))
        if found is None:  # scopes come outer first
            raise InvalidInput("The query cannot be read.", code="MALFORMED_QUERY")
        return found

    async def child(self, object: str, relationship: str, describe: Describe) -> str:
        """The object of a child relationship, which must be in the list where there is one."""
        found = (await describe(object)).children.get(relationship.lower())
        if found is None:
            raise InvalidInput(
                f"{object} has no child relationship {relationship[:80]!r}.",
                code="INVALID_TYPE",
                hint="Such as Contacts or Opportunities of an Account; custom ones end with __r.",
            )
        self.demand(found)
        return found

    async def demand_path(self, object: str, path: str, describe: Describe, *, relation: str = "") -> None:
        """Raise NotPermitted where a dotted name leads to an object that is not in the list."""
        *steps, last = path.split(".")
        at, first = object, True
        for step in steps:
            links = await describe(at)
            targets = links.parents.get(step.lower())
            if targets is None and first and step.lower() in (object.lower(), relation.lower()):
                first = False
                continue  # the object's own name in front: Account.Name FROM Account
            if targets is None:
                raise InvalidInput(
                    f"{at} has no parent relationship {step!r}.",
                    code="INVALID_FIELD",
                    hint="Such as Account.Name of a Contact; custom ones end with __r.",
                )
            if step.lower() in _PEOPLE and step is steps[-1] and last.lower() in _OF_PEOPLE:
                return
            if not targets:
                raise NotPermitted(f"Where {step} leads is not known.", code="object_not_allowed")
            for target in targets:
                self.demand(target)
            if len(targets) > 1 and step is not steps[-1]:
                raise InvalidInput(
                    f"{step} leads to several objects.",
                    code="INVALID_FIELD",
                    hint="Ask for Id, Name or Type of it.",
                )
            at, first = targets[0], False
