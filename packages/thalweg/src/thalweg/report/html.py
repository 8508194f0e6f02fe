"""Pages from Jinja2 templates: all text is escaped, and nothing is loaded from elsewhere.

A package keeps its templates in a folder `templates` and may use those of this one: `page.html` is
what every page begins and ends with, `parts.html` has the parts that pages share.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from thalweg.errors import ConfigError
from thalweg.report.looks import COLOURS

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

OWN = "thalweg.report"
_CODE = re.compile(r"`([^`]+)`")


def page(template: str, *, package: str, **values: object) -> str:
    """A whole page.

    Args:
        template: The template; it extends `page.html`.
        package: The package that has it.
        values: What it shows.

    Raises:
        ConfigError: Jinja2 is not installed.
    """
    return _environment(package).get_template(template).render(colours=COLOURS, **values)


def part(template: str, macro: str, *values: object, package: str = OWN) -> Markup:
    """A part of a page: what a macro of a template of some package makes of some values."""
    return getattr(_environment(package).get_template(template).module, macro)(*values)


def with_code(text: object) -> Markup:
    """Text as HTML, with what stands in backticks set as code."""
    from markupsafe import Markup, escape

    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped above


@functools.cache
def _environment(package: str) -> Environment:
    """The templates of a package and of this one."""
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise ConfigError(
            "pages are made by Jinja2, which is not installed; install `thalweg[tables]`"
        ) from error
    from markupsafe import Markup

    packages = dict.fromkeys((package, OWN))
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name) for name in packages]),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )

    def raw(name: str) -> Markup:
        """A file of style or script, which is no template and is not escaped."""
        loader: Any = environment.loader
        return Markup(loader.get_source(environment, name)[0])  # noqa: S704 - a file of ours

    environment.filters["code"] = with_code
    environment.globals["raw"] = raw
    return environment
