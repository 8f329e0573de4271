"""The dashboard and the alert rules name only what is measured, and show all of it."""

import json
import re

import pytest
import yaml
from django.conf import settings

from common.metrics.instruments import names

DEPLOY = settings.ROOT / "deploy"
WORDS = re.compile(r"\bportico_[a-z_]+")
LABELS = re.compile(r"[{,]\s*([a-z_]+)\s*(?:=~|!~|!=|=)")


def used(expression: str) -> set[str]:
    return set(WORDS.findall(expression))


def dashboard() -> dict:
    return json.loads((DEPLOY / "grafana" / "portico.json").read_text())


def expressions() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]


def rules() -> list[dict]:
    found = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    return [rule for group in found["groups"] for rule in group["rules"]]


def balanced(expression: str) -> bool:
    return (
        all(expression.count(a) == expression.count(b) for a, b in ("()", "{}", "[]"))
        and not expression.count('"') % 2
    )


def test_the_dashboard_shows_every_figure_and_none_that_is_not_there():
    shown = set().union(*map(used, expressions()))
    assert shown - names() == set()
    # A histogram's sum and count come along with its buckets.
    wanted = {name for name in names() if not name.endswith(("_seconds_sum", "_seconds_count"))}
    assert wanted - shown == set()


def test_the_dashboard_has_panels_of_their_own_places():
    board = dashboard()
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels]
    assert len(set(places)) == len(places)
    assert all(p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in panels)
    assert all(balanced(expression) for expression in expressions())
    assert {one["name"] for one in board["templating"]["list"]} == {
        "datasource",
        "job",
        "instance",
        "connector",
    }


def test_labels_in_queries_are_those_of_the_figures():
    from common.metrics.figures import Figures
    from common.metrics.instruments import registry

    given = Figures()
    given.processes = {"web": 1}
    for name, labels in (
        ("calls", 4),
        ("requests", 4),
        ("cache", 2),
        ("limited", 1),
        ("breaker", 2),
        ("sent", 2),
        ("repeated", 1),
        ("probed", 2),
        ("tasks", 2),
    ):
        width = 2 + len({"calls": range(15), "sent": range(15), "tasks": range(10)}.get(name, ()))
        given.counts[name][("x",) * labels] = [1] * (width if width > 2 else 1)
    for name in (
        "breakers_open",
        "redis_away",
        "bus_connected",
        "process_memory",
        "process_files",
        "process_threads",
        "process_cpu",
    ):
        given.samples[name][("x",)] = 1
    known: dict[str, set[str]] = {}
    for family in registry({"version": "1", "python": "3"}, given).collect():
        for sample in family.samples:
            known.setdefault(sample.name, set()).update(sample.labels)
    for expression in (*expressions(), *(rule["expr"] for rule in rules())):
        for name, selector in re.findall(r"(portico_[a-z_]+)(\{[^}]*\})", expression):
            assert set(LABELS.findall(selector)) <= known[name] | {"job", "instance"}, expression


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_names_what_is_measured_and_says_what_it_means(rule):
    assert used(rule["expr"]) <= names()
    assert used(rule["expr"]) or "up{" in rule["expr"]
    assert balanced(rule["expr"])
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["summary"].endswith((".", "?"))
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
    assert f"`{rule['alert']}`" in (settings.ROOT / "docs" / "metrics.md").read_text()


def test_the_example_of_prometheus_parses_and_loads_the_rules():
    found = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    assert found["rule_files"] == ["alerts.yml"]
    (job,) = found["scrape_configs"]
    assert (job["metrics_path"], job["authorization"]["type"]) == ("/metrics", "Bearer")


def test_every_figure_stands_in_the_documentation():
    page = (settings.ROOT / "docs" / "metrics.md").read_text()
    listed = set(re.findall(r"^\| `(portico_[a-z_]+)`", page, re.M))
    bases = {re.sub(r"_seconds_(bucket|sum|count)$", "_seconds", name) for name in names()}
    assert listed == bases
