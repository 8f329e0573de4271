import pytest

from connectors.env_file import is_reference, is_sample, read_env

TEXT = """\ufeff# a comment
export JIRA_HOST="https://acme.atlassian.net"  # where
JIRA_EMAIL = ann@acme.test
JIRA_API_TOKEN=ab#c=d== # not of the token
SINGLE='a "quoted" $HOME value'
ESCAPED="one\\ntwo \\"three\\""
PEM="-----BEGIN KEY-----
abc
-----END KEY-----"
EMPTY=
EMPTY_QUOTES=""
TWICE=1
TWICE=2

this is no assignment
OPEN="never closed
AFTER=still read
"""


def test_the_usual_forms_are_read():
    assert read_env(TEXT).values == {
        "JIRA_HOST": "https://acme.atlassian.net",
        "JIRA_EMAIL": "ann@acme.test",
        "JIRA_API_TOKEN": "ab#c=d==",
        "SINGLE": 'a "quoted" $HOME value',
        "ESCAPED": 'one\ntwo "three"',
        "PEM": "-----BEGIN KEY-----\nabc\n-----END KEY-----",
        "EMPTY": "",
        "EMPTY_QUOTES": "",
        "TWICE": "2",
        "AFTER": "still read",
    }


def test_lines_that_are_no_assignment_are_told_by_number():
    assert read_env(TEXT).odd_lines == [15, 16]


def test_a_file_of_windows_reads_the_same():
    assert read_env("A=1\r\nB='2'\r\n").values == {"A": "1", "B": "2"}


def test_nothing_of_a_file_shows_in_its_representation():
    assert "ab#c" not in repr(read_env(TEXT))


@pytest.mark.parametrize(
    "value",
    [
        "<token>",
        "your-api-token",
        "https://your-company.atlassian.net",
        "changeme",
        "xxxx",
        "ghp_xxxxxxxx",
    ],
    ids=["angle", "your", "site", "change", "x", "prefix"],
)
def test_a_samples_values_are_known(value):
    assert is_sample(value)


@pytest.mark.parametrize("value", ["${X}", "$(cat token)", "%TOKEN%"], ids=["shell", "command", "cmd"])
def test_what_a_shell_would_make_is_known(value):
    assert is_reference(value)


@pytest.mark.parametrize("value", ["acme", "my-company.atlassian.net", "ATATT3x", "true", "PROJ"], ids=str)
def test_real_values_are_no_samples(value):
    assert not is_sample(value)
