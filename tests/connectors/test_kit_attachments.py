import base64
from types import SimpleNamespace

import pytest

from common.db import in_db
from connectors.artifacts import artifact_get, artifact_save
from connectors.calling import SavedFile
from connectors.errors import InvalidInput, NotFound
from connectors.kit.attachments import (
    file_bytes,
    file_form,
    given_bytes,
    handed_out,
    mime_type_of,
    safe_name,
)
from connectors.results import Image, ResourceLink, Text
from tests.factories import make_connection, make_tenant

DATA = bytes(range(256))


def test_files_come_in_as_base64_of_any_usual_form():
    plain = base64.b64encode(DATA).decode()
    url_safe = base64.urlsafe_b64encode(DATA).decode().rstrip("=")
    for text in (plain, url_safe, f"data:image/png;base64,{plain}", "\n".join([plain[:70], plain[70:]])):
        assert file_bytes(text) == DATA


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("/etc/passwd!", "bad_base64"),
        ("abcde", "bad_base64"),
        ("data:text/plain,hello", "bad_base64"),
        ("===", "empty_file"),
    ],
    ids=["path", "length", "data", "empty"],
)
def test_what_is_no_base64_is_refused_in_words(text, code):
    with pytest.raises(InvalidInput) as caught:
        file_bytes(text)
    assert caught.value.code == code


def test_a_file_that_is_too_large_is_refused_before_it_is_decoded():
    assert len(file_bytes(base64.b64encode(b"x" * 1000).decode(), max_bytes=1000)) == 1000
    with pytest.raises(InvalidInput, match="more than 999 bytes"):
        file_bytes(base64.b64encode(b"x" * 1000).decode(), max_bytes=999)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\system32\\a.dll", "a.dll"),
        ("a\u202egpj.exe", "agpj.exe"),
        ('x"\r\nX-Evil: 1.txt', "x___X-Evil_ 1.txt"),
        ("nul.txt", "_nul.txt"),
        ("\uff0e\uff0e\uff0fpasswd", "passwd"),
        (" .hidden. ", "hidden"),
        ("naïve Überblick 東京.md", "naïve Überblick 東京.md"),
    ],
    ids=["plain", "dots", "windows", "bidi", "header", "device", "wide", "blank", "unicode"],
)
def test_file_names_name_no_folder_and_break_out_of_no_header(name, expected):
    assert safe_name(name) == expected


@pytest.mark.parametrize(
    "name", ["", "..", "/", "\u200b", "a/.."], ids=["none", "dots", "slash", "unseen", "up"]
)
def test_what_is_no_file_name_is_refused(name):
    with pytest.raises(InvalidInput):
        safe_name(name)


def test_a_long_name_is_shortened_and_keeps_its_ending():
    made = safe_name("東" * 190 + ".pdf")
    assert made.endswith(".pdf") and len(made.encode()) <= 255


def test_media_types_follow_the_name():
    assert mime_type_of("a.png") == "image/png"
    assert mime_type_of("a.unheard-of") == "application/octet-stream"


class Saving:
    """The one thing of a call's context that files need, with real rows."""

    def __init__(self) -> None:
        self.tenant = make_tenant()
        self.connection = make_connection(self.tenant)

    async def save_file(self, name: str, mime_type: str, data: bytes) -> SavedFile:
        row = await in_db(
            artifact_save,
            tenant_id=self.tenant.pk,
            connection_id=self.connection.pk,
            principal_id=None,
            name=name,
            mime_type=mime_type,
            data=data,
        )
        return SavedFile(
            f"portico://files/{row.pk}", "https://x", row.name, mime_type, row.size, row.expires_at
        )


async def test_a_small_text_comes_with_the_answer_and_shows_nothing_hidden():
    made = await handed_out(SimpleNamespace(), "a.md", "one\u200b two".encode(), source="https://wiki/1")
    assert made.structured == {
        "name": "a.md",
        "mime_type": "text/markdown",
        "size": 10,
        "url": "https://wiki/1",
        "text": "one two",
    }
    assert made.meta == {"trust": "untrusted"}


async def test_a_small_picture_comes_as_a_picture():
    made = await handed_out(SimpleNamespace(), "a.png", DATA)
    assert made.content[0] == Image(base64.b64encode(DATA).decode(), "image/png")


async def test_everything_else_is_kept_for_a_day_and_linked():
    saving = await in_db(Saving)
    for name, data in (("a.zip", DATA), ("big.txt", b"x" * 30_000), ("bad.txt", b"\xff\xfe\x00")):
        made = await handed_out(saving, name, data, about={"id": "10"})
        link, note = made.content
        assert isinstance(link, ResourceLink) and isinstance(note, Text)
        assert made.structured["uri"] == link.uri and made.structured["id"] == "10"
        row = await in_db(artifact_get, saving.tenant.pk, link.uri.rpartition("/")[2])
        assert bytes(row.data) == data


async def test_a_file_is_given_once_as_text_as_base64_or_by_the_uri_of_a_file_of_the_tenant():
    saving, stranger = await in_db(Saving), await in_db(Saving)
    uri = (await saving.save_file("a.zip", "application/zip", DATA)).uri
    plain = base64.b64encode(DATA).decode()
    assert await given_bytes(own(saving), text="grün") == "grün".encode()
    assert await given_bytes(own(saving), content_base64=plain) == DATA
    assert await given_bytes(own(saving), file_uri=uri) == DATA
    with pytest.raises(NotFound, match="does not exist"):
        await given_bytes(own(stranger), file_uri=uri)
    for content, code in (
        ({}, "one_content"),
        ({"text": "x", "file_uri": uri}, "one_content"),
        ({"text": "\ud800"}, "bad_character"),
        ({"text": "x" * 300}, "file_too_large"),
        ({"content_base64": plain * 2}, "file_too_large"),
    ):
        with pytest.raises(InvalidInput) as caught:
            await given_bytes(own(saving), max_bytes=256, **content)
        assert caught.value.code == code
    with pytest.raises(InvalidInput, match="more than 255 bytes"):
        await given_bytes(own(saving), max_bytes=255, file_uri=uri)


def own(saving):
    return SimpleNamespace(connection=SimpleNamespace(tenant_id=saving.tenant.pk))


def test_a_form_has_the_file_and_its_name_whatever_they_are():
    body, kind = file_form('a"\\b.txt', b"--x\r\n\x00", {"comment": "Hi"})
    boundary = kind.removeprefix("multipart/form-data; boundary=").encode()
    first, second = body.split(b"--" + boundary)[1:-1]
    assert first == b'\r\nContent-Disposition: form-data; name="comment"\r\n\r\nHi\r\n'
    head, _, data = second.partition(b"\r\n\r\n")
    assert b'name="file"; filename="a%22_b.txt"' in head and b"Content-Type: text/plain" in head
    assert data == b"--x\r\n\x00\r\n"
