"""Forms with files in them, read as a system reads them."""

from io import BytesIO

from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from tests.doubles.messages import Request


def files_of(request: Request, part: str = "file") -> list[tuple[str, str, bytes]]:
    """The files of a form's part: name, media type, content; none where the body is no form."""
    kind, options = parse_options_header(request.content_type)
    _, _, files = FormDataParser().parse(BytesIO(request.body), kind, len(request.body), options)
    return [(str(one.filename), one.mimetype, one.read()) for one in files.getlist(part)]
