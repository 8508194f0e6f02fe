"""Runs the machine's C preprocessor over a header, where there is one.

It obeys `#include`, `#if` and `#define`, and leaves markers that say which file each line is from.
Without a C compiler a header is read as it stands: directives are passed over, and names that an
included file would have declared stay unknown.
"""

import os
import re
import shutil
import sysconfig
from pathlib import Path

_DIRECTIVE = re.compile(
    r"^[ \t]*#[ \t]*(?:include|define|if|ifdef|ifndef|undef|import)\b", re.MULTILINE
)
LIMIT_S = 30


def needs_preprocessing(text: str) -> bool:
    """Whether a header has directives, other than the markers of a preprocessor."""
    return _DIRECTIVE.search(text) is not None


def c_compiler() -> str | None:
    """The C compiler that `CC` names, or that Python was built with, or `cc`."""
    words = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()
    return shutil.which(words[0])


def preprocess(text: str, folder: Path | None) -> tuple[str | None, str]:
    """What the preprocessor makes of a header.

    Args:
        text: The header.
        folder: Where files that it includes by a relative name are looked for first.

    Returns:
        The preprocessed text, and an empty string; or `None`, and what went wrong.

    Cost: 10 to 200 ms.
    """
    import subprocess

    compiler = c_compiler()
    if compiler is None:
        return None, "no C compiler is here to obey `#include` and `#if`"
    command = [compiler, "-E", "-x", "c", *([f"-I{folder}"] if folder else []), "-"]
    try:
        done = subprocess.run(  # noqa: S603 - the machine's compiler, on text of the caller's
            command, input=text, capture_output=True, text=True, check=False, timeout=LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"the preprocessor could not be run: {error}"
    if done.returncode:
        problem = next((line for line in done.stderr.splitlines() if "error" in line), "failed")
        return None, f"the preprocessor stopped: {problem.partition('error: ')[2] or problem}"
    return done.stdout, ""
