"""How Sphinx builds the documentation. `make docs` calls it with every warning an error."""

import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from importlib.metadata import version as version_of
from itertools import cycle
from pathlib import Path
from typing import cast

from sphinx.application import Sphinx
from sphinx.util import logging

HERE = Path(__file__).parent
GENERATED = HERE / "_generated"  # what is written before the build; git ignores it

project = "thalweg"
author = "The thalweg authors"
copyright = "The thalweg authors"
release = version = version_of("thalweg")

extensions = [
    "myst_nb",  # with it comes myst_parser
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
myst_enable_extensions = ["deflist", "dollarmath"]
exclude_patterns = ["_build", "_generated"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks hold their outputs; the tests run them

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
html_show_search_summary = False  # which the search would fetch, and from `file://` cannot
html_title = f"thalweg {release}"


# One file with its glyphs inside: fonts in files of their own would not load from `file://`.
MATHJAX = "tex-svg.js"
html_static_path = ["_static", "_generated/static"]
html_css_files = ["pages.css"]
mathjax_path = MATHJAX
mathjax3_config = {"options": {"enableMenu": False}}  # the menu would load parts that are not here

# What makes a browser fetch something while a page is read; links that a reader may follow do not.
LOADED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["'](?:https?:)?//[^"']*"""
    r"""|<link\b[^>]*\brel=["'](?:stylesheet|preload|preconnect|icon)["'][^>]*(?:https?:)?//[^"']*"""
)


def write_command_reference() -> None:
    """Write what `thalweg --help` knows to `_generated/cli.md`, which `cli.md` includes."""
    done = subprocess.run(
        [sys.executable, "-m", "typer", "thalweg.cli", "utils", "docs", "--name", "thalweg"],
        check=True,
        capture_output=True,
        text=True,
    )
    # The page that includes this has the title already, and Typer cuts the list of commands short.
    text = done.stdout.replace("# `thalweg`\n", "", 1)
    page = GENERATED / "cli.md"
    page.write_text(re.sub(r"\*\*Commands\*\*:\n\n(?:\* .*\n)+", "", text))


def copy_mathjax() -> None:
    """Put MathJax beside the pages; the package that carries it holds all of its output formats."""
    static = GENERATED / "static"
    static.mkdir(exist_ok=True)
    carrier = distribution("sphinx-mathjax-offline")
    source = carrier.locate_file(f"sphinx-mathjax-offline/static/mathjax/{MATHJAX}")
    shutil.copy(str(source), static / MATHJAX)


GENERATED.mkdir(exist_ok=True)
write_command_reference()
copy_mathjax()


def escape_bars(*event: object) -> None:
    """Keep `|g|` a norm: outside code spans, reStructuredText would read it as a substitution."""
    lines = cast("list[str]", event[-1])
    for number, line in enumerate(lines):
        spans = line.split("`")
        lines[number] = "`".join(
            span if inside_code else span.replace("|", "\\|")
            for span, inside_code in zip(spans, cycle([False, True]), strict=False)
        )


def refuse_remote_parts(app: Sphinx, failure: Exception | None) -> None:
    """Fail the build where a page would fetch something from another place when it is read."""
    for page in [] if failure else sorted(Path(app.outdir).glob("**/*.html")):
        for part in LOADED.findall(page.read_text(encoding="utf-8")):
            logging.getLogger(__name__).error("%s would load this: %s", page.name, part)
            app.statuscode = 1


def setup(app: Sphinx) -> None:
    """Called by Sphinx with the build it begins."""
    app.connect("autodoc-process-docstring", escape_bars)
    app.connect("build-finished", refuse_remote_parts)
