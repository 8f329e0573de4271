"""What a process keeps in its memory is bounded; tags and numbers are read as JSON means them."""

import uuid
from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from connectors.results import (
    Audio,
    EmbeddedResource,
    Image,
    ResourceContents,
    ResourceLink,
    Text,
    ToolResult,
)
from connectors.upstream.cache import copies as module
from connectors.upstream.cache.copies import Copies, Copy
from connectors.upstream.cache.plans import (
    MAX_TAGS,
    defaults_of,
    plain_numbers,
    tags_of,
    untagged_mark,
    written_marks,
)
from connectors.upstream.cache.sealing import packed, unpacked
from tests.upstream.kept import Kept


def copy(number, size=1000, marks=("*",)):
    return Copy(b"%032d" % number, marks, ToolResult({"n": number}), size, 0.0, 60.0)


def test_a_tenants_copies_are_bounded_and_the_least_used_go(monkeypatch):
    monkeypatch.setattr(module, "MAX_TENANT_BYTES", 10_000)
    kept, tenant = Copies(), uuid.uuid4()
    for number in range(5):
        kept.keep(tenant, copy(number), kept.moment)
    assert kept.find(tenant, copy(0).key) is not None
    kept.keep(tenant, copy(5), kept.moment)
    assert kept.find(tenant, copy(0).key) is not None and kept.find(tenant, copy(1).key) is None
    assert kept.size == 10_000


def test_a_hit_in_the_middle_of_a_forgetting_does_not_end_it():
    kept, tenant = Copies(), uuid.uuid4()

    class Hit(frozenset):
        def __and__(self, other):  # the event loop comes in between
            kept.find(tenant, copy(0).key)
            return frozenset(self) & other

    for number in range(3):
        made = copy(number, marks=("mine",))
        made.marks = Hit(made.marks)
        kept.keep(tenant, made, kept.moment)
    assert kept.forget(tenant, ["mine"]) == 3
    assert kept.find(tenant, copy(0).key) is None and not kept.size


def test_all_copies_are_bounded_and_one_tenants_many_do_not_crowd_out_anothers_few(monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 20_000)
    monkeypatch.setattr(module, "MAX_TENANT_BYTES", 10_000)
    kept, few, many = Copies(), uuid.uuid4(), uuid.uuid4()
    kept.keep(few, copy(0), kept.moment)
    for number in range(50):
        kept.keep(many, copy(number), kept.moment)
    assert kept.find(few, copy(0).key) is not None
    for _ in range(5):
        tenant = uuid.uuid4()
        for number in range(50):
            kept.keep(tenant, copy(number), kept.moment)
    assert kept.size <= 20_000


def test_a_large_result_is_left_to_redis():
    kept, tenant = Copies(), uuid.uuid4()
    kept.keep(tenant, copy(1, size=module.MAX_COPY), kept.moment)
    assert kept.find(tenant, copy(1).key) is None and kept.size == 0


def test_forgetting_drops_what_has_the_mark_and_nothing_else():
    kept, tenant, other = Copies(), uuid.uuid4(), uuid.uuid4()
    for whose in (tenant, other):
        kept.keep(whose, copy(1, marks=("*", "a")), kept.moment)
        kept.keep(whose, copy(2, marks=("*", "b")), kept.moment)
    assert kept.forget(tenant, ["a"]) == 1
    assert kept.find(tenant, copy(1).key) is None and kept.find(tenant, copy(2).key) is not None
    assert kept.find(other, copy(1).key) is not None
    kept.clear()
    assert kept.size == 0


def test_what_was_read_before_a_forgetting_is_not_kept_after_it():
    kept, tenant = Copies(), uuid.uuid4()
    moment = kept.moment
    kept.forget(tenant, ["a"])
    kept.keep(tenant, copy(1, marks=("*", "a")), moment)
    kept.keep(tenant, copy(2, marks=("*", "b")), moment)
    assert kept.find(tenant, copy(1).key) is None and kept.find(tenant, copy(2).key) is not None


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (5.0, 5),
        (5.5, 5.5),
        (-0.0, 0),
        (1e300, 1e300),
        ([1.0, {"a": 2.0}], [1, {"a": 2}]),
        (True, True),
        ("1", "1"),
    ],
    ids=["whole", "part", "zero", "huge", "deep", "boolean", "text"],
)
def test_whole_numbers_are_one_number_however_they_are_written(value, plain):
    found = plain_numbers(value)
    assert found == plain and type(found) is type(plain)


def test_what_is_no_number_in_json_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        plain_numbers(float("nan"))


class Arguments(BaseModel):
    needed: int
    plain: float = 2.0
    named: Annotated[int, Field(alias="other")] = 3
    made: list[int] = Field(default_factory=list)
    nothing: str | None = None


def test_defaults_are_filled_in_under_the_names_that_callers_use_unless_they_are_made_anew():
    assert defaults_of(Arguments) == {"plain": 2, "other": 3, "nothing": None}


@pytest.mark.parametrize(
    ("templates", "arguments", "tags"),
    [
        (("item:{number}",), {"number": 5}, ("item:5",)),
        (("all", "item:{key}"), {"key": "A-1"}, ("all", "item:A-1")),
        (("item:{keys}",), {"keys": ["A", "B"]}, ("item:A", "item:B")),
        (("{a}:{b}",), {"a": "{b}", "b": "x"}, ("{b}:x",)),
        (("item:{key}",), {"key": None}, None),
        (("item:{key}",), {}, None),
        (("item:{key}",), {"key": {"id": 1}}, None),
        (("item:{keys}",), {"keys": []}, None),
        (("item:{keys}",), {"keys": list(range(MAX_TAGS + 1))}, None),
        ((), {}, ()),
    ],
    ids=["one", "two", "list", "braces", "null", "missing", "object", "empty", "many", "none"],
)
def test_tags_come_from_arguments(templates, arguments, tags):
    class Spec:
        pass

    Spec.tags = templates
    assert tags_of(Spec, arguments) == tags


def test_a_write_whose_tag_cannot_be_made_forgets_all_of_its_connection():
    class View:
        class ref:
            id = uuid.uuid4()

    tools = Kept.tools
    one = written_marks(View, tools["kept_change"], {"number": 1})
    assert len(one) == 2 and untagged_mark(View.ref.id) in one
    assert written_marks(View, tools["kept_make"], {}) == (f"{View.ref.id.hex}:*",)
    assert written_marks(View, tools["kept_change"], {}) == (f"{View.ref.id.hex}:*",)


@pytest.mark.parametrize(
    "result",
    [
        ToolResult({"a": [1, "ü"]}, (Text('{"a":[1,"ü"]}'),), {"truncated": {"shown": 1}}),
        ToolResult(None, (Text("Done."),)),
        ToolResult(
            {"a": 1},
            (
                Text("other"), Image("aGk=", "image/png"), Audio("aGk=", "audio/ogg"),
                ResourceLink("x://1", "one", size=3), EmbeddedResource(ResourceContents("x://2", text="t")),
            ),
        ),
    ],
    ids=["twice", "text", "all kinds"],
)  # fmt: skip
def test_a_result_comes_back_as_it_was(result):
    assert unpacked(packed(result)) == result


def test_what_is_no_json_is_not_packed_and_what_is_no_result_not_unpacked():
    assert packed(ToolResult({1, 2})) is None
    for damaged in (b"", b"[1]", b'[1, [["new", {}]], {}]'):
        with pytest.raises(ValueError, match=r"kept result|unpack|Input"):
            unpacked(damaged)
