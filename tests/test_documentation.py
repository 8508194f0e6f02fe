"""What the Markdown files say about the project is true: links, commands and targets exist.

Their Python examples are run by the root's conftest.py.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = "check_docs"
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("packages/*/*.md"),
        *(page for page in ROOT.glob("docs/**/*.md") if not page.parent.name.startswith("_")),
    ]
)
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


@each_page
def test_every_relative_link_leads_to_a_file_and_a_heading(script, page: Path):
    """A link without a scheme names a file that is there, and an anchor that it has."""
    assert list(script.dead_links_between(page)) == []


def test_a_dead_link_is_found(script, tmp_path: Path):
    """A file that is missing, a heading that is missing, here or there; not what is code."""
    (tmp_path / "there.md").write_text("# One `code` heading\n\n## Two, three: four\n", "utf-8")
    page = tmp_path / "page.md"
    sound = "[a](there.md#one-code-heading) [b](there.md#two-three-four) [c](#own) [d](https://x.y)"
    page.write_text(f"# Own\n{sound}\n```\n[code](gone.md)\n```\n", "utf-8")
    assert list(script.dead_links_between(page)) == []
    page.write_text("[a](gone.md) [b](there.md#three) [c](#other)", "utf-8")
    assert list(script.dead_links_between(page)) == [
        "`gone.md` leads to no file",
        "`there.md#three` leads to no heading",
        "`#other` leads to no heading",
    ]


def test_a_dead_link_of_a_built_page_is_found(script, tmp_path: Path):
    """Also of a picture, and of an anchor on another page."""
    (tmp_path / "there.html").write_text('<h1 id="place">There</h1>', "utf-8")
    page = tmp_path / "page.html"
    page.write_text('<a href="there.html#place">a</a><a href="#top" id="top">b</a>', "utf-8")
    assert list(script.dead_links_of(page)) == []
    other = tmp_path / "other.html"
    other.write_text('<img src="gone.png"><a href="there.html#nowhere">a</a>', "utf-8")
    assert list(script.dead_links_of(other)) == [
        "`gone.png` leads to no file",
        "`there.html#nowhere` leads to no place on the page",
    ]


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
def test_every_command_shown_exists_with_its_options(script, page: Path):
    """Whoever types a line of a page finds the program's command and each option."""
    assert script.faults(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("thalweg fitt data.csv", "has no command `fitt`"),
        ("thalweg fit data.csv 'a*x' --colour red", "`thalweg fit` has no option `--colour`"),
        ("cardsplit split a.vcf -q", "`cardsplit split` has no option `-q`"),
        ("bootwatch recipe --from-curl a.sh shwo", "`bootwatch recipe` has no command `shwo`"),
        ("FOO=1 libufunc audit erf --againts libm | head", "has no option `--againts`"),
        ('thalweg fit "data.csv', "cannot be read as a shell does"),
    ],
)
def test_a_command_that_does_not_exist_is_found(script, line: str, said: str):
    """In a block of the shell; a span of code in a sentence is read likewise."""
    (fault,) = script.faults(f"```sh\n{line}    # a comment\n```\n")
    assert said in fault
    assert len(script.faults(f"Type `{line}`.")) == 1


@pytest.mark.parametrize(
    "line",
    [
        "cat a.vcf | cardsplit split - -n100 > b.vcf",
        "cardsplit split contacts.vcf --max-bytes=2.5MB -o parts",
        "bootwatch recipe --from-curl copied.sh > my.toml",
        "libufunc call erf -0.5",
        "thalweg COMMAND --anything",
        "thalweg",
    ],
)
def test_a_command_that_exists_is_no_fault(script, line: str):
    """Values of options, numbers below zero, placeholders and pipes are understood."""
    assert script.faults(f"```sh\n{line}\n```\n") == []
