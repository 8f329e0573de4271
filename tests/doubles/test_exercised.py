import pytest

from benchmarks.report import MOST_TOKENS, operations
from connectors.registry import BUILT_IN, connector_class
from mcp_endpoint.token_cost import tool_tokens
from tests.doubles.double import Hit
from tests.doubles.exercised import FOLDER, keep, read_kept
from tests.doubles.github import GitHub

BOUNDED = sorted(MOST_TOKENS)


@pytest.mark.parametrize("slug", BOUNDED)
def test_the_tools_that_a_new_connection_lists_stay_within_their_tokens(slug):
    if slug not in BUILT_IN:
        pytest.skip(f"no connector {slug} in this build")
    specs = connector_class(slug).tools
    assert (
        sum(tool_tokens(name, spec) for name, spec in specs.items() if spec.default_on) <= MOST_TOKENS[slug]
    )


def test_an_operation_counts_for_the_tools_that_it_answered():
    met = {"getIssue": {"jira_get_issue", ""}, "myself": {""}}
    assert operations(met, ["getIssue", "myself", "doTransition"], {"jira_get_issue", "jira_build_jql"}) == {
        "operations_exercised": ["getIssue", "myself"],
        "operations_not_exercised": ["doTransition"],
        "tools_by_operation": {"getIssue": ["jira_get_issue"], "myself": []},
        "tools_without_operation": ["jira_build_jql"],
    }


def test_what_a_double_met_is_kept_only_where_somebody_asked(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.doubles.exercised.PATIENCE_S", 0)
    double = GitHub()
    double.operations.append(Hit("issues/get", "GET", "/x", 200, trace="0" * 31 + "1"))
    double.operations.append(Hit("issues/list", "GET", "/x", 200))  # of no call
    monkeypatch.delenv(FOLDER, raising=False)
    keep(double)
    assert list(read_kept(tmp_path)) == []
    monkeypatch.setenv(FOLDER, str(tmp_path))
    keep(double)
    assert list(read_kept(tmp_path)) == [
        {"vendor": "github", "tool": "", "operation": "issues/get", "status": 200}
    ]


def test_a_double_names_all_operations_that_it_plays():
    names = GitHub(check=False).plays()
    assert "issues/get" in names and len(names) == len(set(names))
    assert "issues/get-comment" not in names, "what no tool asks for"
