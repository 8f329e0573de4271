"""What the documentation shows leads somewhere, parses, and is what the programs print."""

import ast
import json
import re
import shutil
import subprocess

import pytest
from django.core.management import get_commands

from connectors.registry import BUILT_IN, connector_class
from portico.client_config import client_configurations
from tests.docs.pages import KEY, ROOT, URL, Block, anchors, blocks, links, pages

PAGES = list(pages())
SHELL = {"sh", "bash", "shell", "console"}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    here = pages()[page]
    for link in links(page):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (here.parent / path).resolve() if path else here
        assert target.is_relative_to(ROOT), f"{page}: {link} leaves the repository"
        assert target.exists(), f"{page}: {link} leads nowhere"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{page}: {link} names no heading"


def test_every_page_can_be_reached_from_the_first():
    reached, ahead = set(), {ROOT / "README.md", ROOT / "docs" / "index.md"}
    while ahead:
        here = ahead.pop()
        reached.add(here)
        for link in links(str(here.relative_to(ROOT))):
            target = (here.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists() and target not in reached:
                ahead.add(target)
    assert set(pages().values()) == reached


def test_every_decision_has_a_row_and_a_number_of_its_own():
    files = sorted(name for name in PAGES if re.match(r"docs/decisions/\d", name))
    numbers = [int(name.split("/")[-1][:4]) for name in files]
    assert numbers == list(range(1, len(files) + 1))
    index = pages()["docs/decisions/README.md"].read_text()
    for number, name in zip(numbers, files, strict=True):
        title = pages()[name].read_text().splitlines()[0].removeprefix("# ")
        title = re.sub(r"^\d+[.:]? ", "", title)
        assert f"| {number} | [{title}]({name.split('/')[-1]}) |" in index


def test_every_connector_has_its_page_and_each_of_its_tools_is_named_there():
    index = pages()["docs/index.md"].read_text()
    for slug, path in BUILT_IN.items():
        if not path.startswith("connectors."):
            continue  # another test's own
        page = f"docs/connectors/{slug}.md"
        assert page in PAGES, f"{slug} has no page"
        assert f"connectors/{slug}.md" in index
        text = pages()[page].read_text()
        missing = [name for name in connector_class(slug).tools if not re.search(rf"\b{name}\b", text)]
        assert not missing, f"{page} does not name {missing}"


def parts(*languages):
    return [
        pytest.param(block, id=f"{page}-{number}")
        for page in PAGES
        for number, block in enumerate(blocks(page))
        if block.language in languages
    ]


@pytest.mark.parametrize("block", parts("json"))
def test_json_examples_parse(block: Block):
    json.loads(block.text)


@pytest.mark.parametrize("block", parts("python", "py"))
def test_python_examples_parse(block: Block):
    ast.parse(block.text)


@pytest.mark.parametrize("block", parts(*SHELL))
def test_shell_examples_parse_and_name_what_exists(block: Block):
    shell = shutil.which("bash") or "sh"
    done = subprocess.run([shell, "-n"], input=block.text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make ([a-z][a-z0-9-]*)", block.text, re.MULTILINE)) <= targets
    commands = set(re.findall(r"manage\.py ([a-z_]+)", block.text))
    assert commands <= set(get_commands()), commands
    for path in re.findall(r"\b(?:docs/examples|deploy)/[\w./-]+", block.text):
        assert (ROOT / path).exists(), path


def test_the_texts_to_paste_are_those_that_make_run_prints():
    page = "docs/quickstart.md"
    shown = [block.text.strip() for block in blocks(page)]
    as_json = [json.loads(block.text) for block in blocks(page) if block.language == "json"]
    printed = client_configurations("bistro", f"{URL}/t/bistro/mcp", KEY)
    assert len(printed) == 5
    for client, text in printed:
        if text.startswith("{"):
            assert json.loads(text) in as_json, client
        else:
            assert text in shown, client
