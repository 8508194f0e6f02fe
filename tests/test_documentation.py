"""What the Markdown files say about the project is true: links, commands and targets exist.

Their Python examples are run by the root's conftest.py.
"""

import json
import re
import subprocess
import sysconfig
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("packages/*/*.md"),
        *(page for page in ROOT.glob("docs/**/*.md") if not page.parent.name.startswith("_")),
    ]
)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
SHELL_BLOCK = re.compile(r"^```(?:sh|shell|bash|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)
IN_LINE_CODE = re.compile(r"`([^`\n]+)`")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def commands_in(page: Path, name: str) -> set[str]:
    """The words that follow `name` as a command, in shell blocks and code spans."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in SHELL_BLOCK.findall(text) for line in block.splitlines()]
    pattern = re.compile(rf"^(?:\$ )?(?:\.venv/bin/)?{name} ([a-z][a-z-]*)(?![\w=])")
    return {
        match[1] for line in [*lines, *IN_LINE_CODE.findall(text)] if (match := pattern.match(line))
    }


@cache
def subcommand_exists(command: str) -> bool:
    """Whether `thalweg COMMAND --help` succeeds."""
    run = [Path(sysconfig.get_path("scripts"), "thalweg"), command, "--help"]
    return subprocess.run(run, capture_output=True, check=False).returncode == 0


@each_page
def test_every_relative_link_leads_to_a_file(page: Path):
    """A link without a scheme names a file that is there."""
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert missing == []


@each_page
def test_every_make_target_named_exists(page: Path):
    """Whoever types `make X` as a page says finds a target X in the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert commands_in(page, "make") <= targets


def test_every_script_that_make_calls_exists():
    """The Makefile names no script that is gone."""
    scripts = re.findall(
        r"([\w./-]+\.(?:py|sh))\b", (ROOT / "Makefile").read_text(encoding="utf-8")
    )
    assert scripts
    assert [name for name in scripts if not (ROOT / name).is_file()] == []


@each_page
def test_every_thalweg_command_named_exists(page: Path):
    """Whoever types `thalweg X` as a page says finds a subcommand X."""
    missing = {name for name in commands_in(page, "thalweg") if not subcommand_exists(name)}
    assert missing == set()


# ----------------------------------------------------------------- the answers to five questions

MOST_WORDS = 29  # of an answer
ANSWERS = {
    name: answer
    for record in sorted(ROOT.glob("docs/studies/*.json"))
    for name, answer in json.loads(record.read_text(encoding="utf-8"))["answers"].items()
}
each_answer = pytest.mark.parametrize("name", ANSWERS)


def shown(name: str) -> str:
    """What the page has between the marks of an answer."""
    page = (ROOT / "docs/five-questions.md").read_text(encoding="utf-8")
    return page.split(f"<!-- {name} -->\n", 1)[1].split("<!-- end -->", 1)[0]


@each_answer
def test_an_answer_is_one_short_sentence_and_a_small_table(name: str):
    """What is longer stands below it."""
    verdict = ANSWERS[name]["verdict"]
    assert len(verdict.split()) <= MOST_WORDS
    assert re.findall(r"[.?!](?:\s|$)", verdict) == ["."]
    assert 1 <= len(ANSWERS[name]["summary"]) <= 8


@each_answer
def test_the_page_says_what_the_record_says(name: str):
    """Answer and table are those of the committed record, and nothing else stands there."""
    sentence, table = shown(name).strip().split("\n\n")
    assert sentence == f"**{ANSWERS[name]['verdict']}**"
    assert len(table.splitlines()) == 2 + len(ANSWERS[name]["summary"])
    for row, line in zip(ANSWERS[name]["summary"], table.splitlines()[2:], strict=True):
        texts = [value for value in row.values() if isinstance(value, str)]
        assert all(text in line for text in texts)


def test_the_record_says_what_its_numbers_say():
    """Verdicts are computed: a change of a rule or a word shows in the record, or fails here."""
    from thalweg_lab.study.questions import (
        fewer_presentations,
        jacobian_source,
        same_minimum,
        solver_and_tolerance,
        stiff,
        work_by_accuracy,
    )

    questions = {
        "same_minimum": same_minimum,
        "solver_and_tolerance": solver_and_tolerance,
        "stiffness": stiff,
        "work_by_accuracy": work_by_accuracy,
        "jacobian_source": jacobian_source,
        "presentations": fewer_presentations,
    }
    assert ANSWERS.keys() == questions.keys()
    for name, answer in ANSWERS.items():
        assert answer["verdict"] == questions[name].verdict(answer["numbers"])
        assert answer["summary"] == questions[name].summary(answer["numbers"]).as_json()
