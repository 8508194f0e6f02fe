"""What the Markdown files say about the project is true: links, commands and targets exist.

Their Python examples are run by the root's conftest.py.
"""

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
