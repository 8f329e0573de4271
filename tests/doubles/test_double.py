"""What every double does: checks, reports, control, ways to run."""

import shlex

import httpx2
import pytest

from tests.doubles import documents
from tests.doubles.__main__ import main, parsed
from tests.doubles.atlassian import adf
from tests.doubles.catalogue import DOUBLES, told
from tests.doubles.documents import ROOT, missing, own_document, vendor_document
from tests.doubles.examples import NoDocument, example_of, operations_with_examples
from tests.doubles.faults import Fault, Status
from tests.doubles.fixtures import needs_document
from tests.doubles.jira import Jira
from tests.doubles.running import serving, serving_in_process, serving_in_thread

ADA = ("ada@example.com", "sandbox-jira-token")
# A Data Center of Jira plays what its own document has of the Cloud's routes, which its own tests hold against it.
WHOLE = [vendor for vendor in DOUBLES if vendor != "jira-data-center"]


@pytest.mark.parametrize("vendor", WHOLE)
def test_every_route_stands_in_our_own_document_and_in_the_vendors(vendor):
    kind = DOUBLES[vendor].kind
    assert kind.routes
    for route in kind.routes:
        own = own_document(vendor).operation(route.method, route.template)
        assert own is not None, f"{route.method} {route.template} is not in specs/{vendor}.yaml"
        known = [d for spec in kind.documents if (d := spec.load()) is not None]
        if known and not route.undocumented:
            found = [one for d in known if (one := d.operation(route.method, route.template)) is not None]
            assert [one.id for one in found] == [own.id]


@pytest.mark.parametrize("vendor", WHOLE)
def test_our_own_document_has_nothing_that_the_double_does_not_play(vendor):
    played = {(route.method, route.template) for route in DOUBLES[vendor].kind.routes}
    verbs = {"get", "put", "post", "patch", "delete"}
    written = {
        (method.upper(), template)
        for template, item in own_document(vendor).content["paths"].items()
        for method in verbs & set(item)
    }
    assert written == played


async def test_a_request_that_breaks_our_document_is_refused_and_fails_the_test():
    async with serving(Jira()) as double, httpx2.AsyncClient(base_url=double.url, auth=ADA) as client:
        answer = await client.post("/rest/api/3/issue", json={"feilds": {}})
        assert answer.status_code == 400
        assert "'feilds' was unexpected" in str(answer.json()["double"])
        assert (await client.get("/rest/api/3/issue/PROJ-1?field=summary")).status_code == 400
        with pytest.raises(
            AssertionError, match=r"getIssue breaks jira.yaml: query parameter 'field' is unknown"
        ):
            double.verify()
        assert len(double.issues) == 4


async def test_an_address_that_the_double_does_not_play_fails_the_test():
    async with serving(Jira()) as double, httpx2.AsyncClient(base_url=double.url, auth=ADA) as client:
        answer = await client.get("/rest/api/3/isue/PROJ-1")
        assert (answer.status_code, "plays no GET /rest/api/3/isue/PROJ-1" in answer.text) == (501, True)
        assert "but GET" in (await client.post("/rest/api/3/myself")).text
        with pytest.raises(AssertionError, match="plays no"):
            double.verify()


@needs_document("jira")
async def test_a_request_that_only_the_vendors_document_forbids_is_refused_too(monkeypatch):
    double = Jira()
    monkeypatch.setattr(documents.own_document("jira"), "_operations", {("GET", "/rest/api/3/myself"): None})
    async with serving(double), httpx2.AsyncClient(base_url=double.url, auth=ADA) as client:
        assert (await client.get("/rest/api/3/myself?wrong=1")).status_code == 400
    assert [violation.document for violation in double.violations] == ["jira-v3.json"]


async def test_without_the_vendors_documents_our_own_are_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("PORTICO_SPECS", str(tmp_path))
    documents.vendor_document.cache_clear()
    try:
        assert "PORTICO_SPECS" in missing("jira-v3.json")
        assert vendor_document("jira-v3.json") is None
        with pytest.raises(NoDocument, match=r"no github.json in PORTICO_SPECS"):
            example_of("github", "repos/get")
        async with serving(Jira()) as double, httpx2.AsyncClient(base_url=double.url, auth=ADA) as client:
            assert (await client.get("/rest/api/3/myself")).status_code == 200
            assert (await client.get("/rest/api/3/myself?wrong=1")).status_code == 400
            assert {violation.document for violation in double.violations} == {"jira.yaml"}
    finally:
        documents.vendor_document.cache_clear()


async def test_the_report_names_the_operations_that_were_met(jira, ada):
    for _ in range(2):
        await ada.get("/rest/api/3/issue/PROJ-1")
    await ada.get("/rest/api/3/issue/NOPE-1")
    met = [(hit.operation, hit.template, hit.status) for hit in jira.operations]
    template = "/rest/api/3/issue/{issueIdOrKey}"
    assert met == [("getIssue", template, 200), ("getIssue", template, 200), ("getIssue", template, 404)]


def test_a_double_runs_in_a_thread_for_who_has_no_loop():
    with serving_in_thread(Jira()) as double, httpx2.Client(base_url=double.url, auth=ADA) as client:
        double.faults.add(Status(500))
        assert client.get("/rest/api/3/myself").status_code == 500
        assert client.get("/rest/api/3/myself").json()["displayName"] == "Ada Lovelace"


def test_doubles_run_in_a_process_of_their_own_and_are_told_what_to_do():
    with serving_in_process("jira", "github") as running, httpx2.Client(auth=ADA) as client:
        jira, url = running["jira"], running["jira"].url
        jira.plan(fault="too_many", seconds=7, times=2, path="getCurrentUser")
        assert client.get(f"{url}/rest/api/3/serverInfo").status_code == 200
        for _ in range(2):
            refused = client.get(f"{url}/rest/api/3/myself")
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "7")
        assert client.get(f"{url}/rest/api/3/myself").status_code == 200
        assert client.post(f"{url}/__double__/faults", json={"fault": "nonsense"}).status_code == 400
        assert jira.report()["counts"] == {"getCurrentUser": 3, "getServerInfo": 1}
        fields = {
            "project": {"key": "OPS"},
            "summary": "x",
            "issuetype": {"name": "Bug"},
            "description": adf("d"),
        }
        assert client.post(f"{url}/rest/api/3/issue", json={"fields": fields}).json()["key"] == "OPS-2"
        jira.reset()
        assert client.get(f"{url}/rest/api/3/issue/OPS-2").status_code == 404
        assert running["github"].report()["operations"] == []


def test_who_names_a_double_that_there_is_not_is_told_which_there_are(capsys):
    with pytest.raises(SystemExit):
        parsed(["fax"])
    assert "there is no double of fax; there are: jira, github" in capsys.readouterr().err
    assert parsed(["jira", "--json"]).vendors == ["jira"]


async def test_a_port_that_is_taken_is_said_in_a_sentence():
    async with serving(Jira()) as double:
        port = int(double.url.rpartition(":")[2])
        with pytest.raises(SystemExit, match=rf"Port {port} cannot be used .* make sandbox PORT="):
            await main(["jira"], first=port)


@pytest.mark.parametrize("vendor", list(DOUBLES))
def test_the_sandbox_tells_address_and_credentials_of_each(vendor):
    said = told({vendor: "http://127.0.0.1:1"})
    entry = DOUBLES[vendor]
    assert f"{entry.kind.title} " in said
    assert f"http://127.0.0.1:1{entry.path}/" in said
    row = f"| {entry.kind.title} | `http://127.0.0.1:{entry.port}{entry.path}` |"
    assert row in (ROOT / "docs/sandbox.md").read_text()


@pytest.mark.parametrize("vendor", list(DOUBLES))
async def test_the_first_request_that_the_sandbox_tells_succeeds(vendor):
    entry = DOUBLES[vendor]
    async with serving(entry.kind()) as double, httpx2.AsyncClient() as client:
        said = shlex.split(entry.first.format(url=double.url + entry.path))
        options = dict(zip(said[:-1:2], said[1:-1:2], strict=True))
        auth = tuple(options["-u"].split(":")) if "-u" in options else None
        headers = dict([options["-H"].split(": ")]) if "-H" in options else {}
        answer = await client.get(said[-1], auth=auth, headers=headers)
        assert answer.status_code == 200, answer.text
        double.verify()


def test_every_fault_is_explained():
    page = (ROOT / "docs/sandbox.md").read_text()
    assert not [kind for kind in Fault.kinds if f"`{kind}`" not in page]


@needs_document("github")
def test_examples_of_the_vendors_document_are_fresh_copies():
    one = example_of("github", "repos/get")
    assert one["full_name"] == "octocat/Hello-World"
    one.clear()
    assert example_of("github", "repos/get")
    assert len(operations_with_examples("github")) > 500
    with pytest.raises(LookupError, match="no operation repos/fly"):
        example_of("github", "repos/fly")


@needs_document("jira")
def test_examples_that_are_strings_of_json_are_read():
    assert example_of("jira", "createIssue")["key"] == "ED-24"
    assert example_of("jira", "createIssue", 400)["errorMessages"]
    assert example_of("jira", "getAllBoards")["values"]
