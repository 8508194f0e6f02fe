"""How Sphinx builds the documentation. `make docs` calls it with every warning an error."""

import re
import subprocess
import sys
from importlib.metadata import version as version_of
from itertools import cycle
from pathlib import Path
from typing import cast

from sphinx.application import Sphinx

project = "thalweg"
author = "The thalweg authors"
copyright = "The thalweg authors"
release = version = version_of("thalweg")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "_generated"]
myst_heading_anchors = 3

# Docstrings write Markdown's single backticks for code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

smartquotes = False  # `--out` stays two hyphens

html_theme = "furo"
html_title = f"thalweg {release}"


def write_command_reference() -> None:
    """Write what `thalweg --help` knows to `_generated/cli.md`, which `cli.md` includes."""
    page = Path(__file__).parent / "_generated" / "cli.md"
    page.parent.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "typer", "thalweg.cli", "utils", "docs", "--name", "thalweg"],
        check=True,
        capture_output=True,
        text=True,
    )
    # The page that includes this has the title already, and Typer cuts the list of commands short.
    text = done.stdout.replace("# `thalweg`\n", "", 1)
    page.write_text(re.sub(r"\*\*Commands\*\*:\n\n(?:\* .*\n)+", "", text))


write_command_reference()


def escape_bars(*event: object) -> None:
    """Keep `|g|` a norm: outside code spans, reStructuredText would read it as a substitution."""
    lines = cast("list[str]", event[-1])
    for number, line in enumerate(lines):
        spans = line.split("`")
        lines[number] = "`".join(
            span if inside_code else span.replace("|", "\\|")
            for span, inside_code in zip(spans, cycle([False, True]), strict=False)
        )


def setup(app: Sphinx) -> None:
    """Called by Sphinx with the build it begins."""
    app.connect("autodoc-process-docstring", escape_bars)
