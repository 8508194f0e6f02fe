"""Environments made for one purpose and thrown away: the Pythons that are here, and filling one."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
DIST = ROOT / "build/dist"  # where `build` puts wheels and source distributions
UV = str(Path(sys.executable).parent / "uv")
VERSIONS = ("3.11", "3.12", "3.13", "3.14")  # those that the workflow on GitHub tests


def projects() -> dict[str, dict[str, object]]:
    """`[project]` of each package, by its name."""
    files = sorted(ROOT.glob("packages/*/pyproject.toml"))
    found = [tomllib.loads(path.read_text("utf-8"))["project"] for path in files]
    return {project["name"]: project for project in found}


def build() -> list[Path]:
    """Build a source distribution of each package, and a wheel from that; return them all."""
    shutil.rmtree(DIST, ignore_errors=True)
    command = [UV, "build", "--quiet", "--all-packages", "--out-dir", str(DIST)]
    subprocess.run(command, cwd=ROOT, check=True, env=quiet_environment())
    made = sorted(path for path in DIST.iterdir() if path.suffix in {".whl", ".gz"})
    if len(made) != 2 * len(projects()):
        raise RuntimeError(f"{len(projects())} packages gave {[path.name for path in made]}")
    return made


def quiet_environment() -> dict[str, str]:
    """The variables for uv: it fetches no Python, and knows no environment but the one named."""
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    return {**kept, "UV_PYTHON_DOWNLOADS": "never", "UV_PYTHON": sys.executable}


def pythons() -> dict[str, str | None]:
    """The interpreter of each supported version, None where there is none on this machine."""
    return {version: find_python(version) for version in VERSIONS}


def find_python(version: str) -> str | None:
    """An interpreter on the PATH, of pyenv, or of uv, in this order."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [
        shutil.which(f"python{version}"),
        *map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)),
        managed_python(version),
    ]
    return next((one for one in candidates if one and is_version(one, version)), None)


def managed_python(version: str) -> str | None:
    """An interpreter that uv installed earlier."""
    command = [UV, "python", "find", "--managed-python", version]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=quiet_environment()
    )
    return done.stdout.strip() if done.returncode == 0 else None


def is_version(python: str, version: str) -> bool:
    """Whether an interpreter starts and is of a version; a shim of pyenv may be neither."""
    script = "import sys; print('{}.{}'.format(*sys.version_info))"
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    return done.stdout.strip() == version


@contextlib.contextmanager
def environment(python: str, *requirements: str) -> Iterator[Path]:
    """An environment with requirements, those of this workspace from its wheels; then it is gone.

    Raises:
        RuntimeError: They cannot be installed; says why.
    """
    with tempfile.TemporaryDirectory(prefix="fresh-") as folder:
        place = Path(folder) / "env"
        call([UV, "venv", "--quiet", "--no-project", "--python", python, str(place)])
        call(
            [
                *(UV, "pip", "install", "--quiet", "--python", str(place / "bin/python")),
                *("--find-links", str(DIST), "--only-binary", ":all:"),
                *requirements,
            ],
        )
        yield place


def call(command: list[str]) -> None:
    """Run a command outside of the workspace, so that it finds nothing of it.

    Raises:
        RuntimeError: It failed; carries what it wrote to stderr.
    """
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=tempfile.gettempdir(),
        env=quiet_environment(),
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
