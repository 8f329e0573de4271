"""Requests without a body are written without the library's parser, and exactly as it writes them."""

import httpx2
import pytest

from connectors.connection_settings import NetworkSettings
from connectors.upstream.transport import Http

ADDRESSES = (
    "http://a.example:80/x",
    "https://A.example:8443",
    "http://127.0.0.1:5/a/b!$&'()*+,;=:@-._~",
    "https://[::1]:3/x/",
    "https://bücher.example/q",
    "https://a.example//x/../y",
    "https://a.example/x/.",
    "https://a.example/%2e%2E/%C3%BC",
    "https://a.example/x y?z=1&ü#there",
    "https://u:p@a.example:443/z",
    "https://a.example:443/...",
)
PARAMS = (None, {"a": "ü b&+/?#", "l": ["1", "2"], "n": None, "t": True, "i": 3, "q": 'in ("A") ~\'*:'})


@pytest.mark.parametrize("params", PARAMS, ids=("bare", "with a query"))
@pytest.mark.parametrize("url", ADDRESSES, ids=range(len(ADDRESSES)))
def test_what_is_sent_is_what_the_library_would_send(url, params):
    ours = Http(NetworkSettings()).request(
        "GET", url, {"X-More": "y"}, params=params, json=None, content=None, connect_s=None
    )
    own = {
        "user-agent": "u",
        "accept-encoding": "gzip",
        "accept": "a",
        "connection": "keep-alive",
        "x-more": "y",
    }
    theirs = httpx2.Request("GET", url, params=params, headers=own)
    assert (ours.url.scheme, ours.url.host, ours.url.port, ours.url.target) == (
        theirs.url.raw_scheme, theirs.url.raw_host, theirs.url.port, theirs.url.raw_path,
    )  # fmt: skip
    sent = {name.lower(): value for name, value in ours.headers}
    assert len(sent) == len(ours.headers) == len(theirs.headers.raw)
    assert (sent[b"host"], sent[b"x-more"]) == (theirs.headers["host"].encode(), b"y")


@pytest.mark.parametrize("value", ["\ud800", "ü"], ids=["half a character", "beyond ASCII"])
def test_a_header_that_cannot_be_written_is_refused_before_anything_is_sent(value):
    with pytest.raises(ValueError, match="codec"):
        Http(NetworkSettings()).request(
            "GET", "https://a.example/x", {"x": value}, params=None, json=None, content=None, connect_s=None
        )
