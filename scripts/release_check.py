"""Whether the five distributions could be published as they are.

`make release-check` calls this. It builds each as a source distribution and a wheel, has twine
check their metadata and pages, and installs each wheel alone in a fresh environment of every
supported Python on this machine, where its smoke test in scripts/smoke runs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from typing import TYPE_CHECKING

from addresses import known
from fresh_environment import ROOT, build, environment, projects, pythons

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMOKE = ROOT / "scripts/smoke"
TIMEOUT = 300  # seconds for one smoke test, compilation included


def contents(archive: Path) -> list[str]:
    """The names of the files in a wheel or a source distribution."""
    if archive.suffix == ".whl":
        return zipfile.ZipFile(archive).namelist()
    with tarfile.open(archive) as opened:
        return opened.getnames()


def missing_parts(archive: Path, package: str) -> Iterator[str]:
    """What a distribution should carry and does not."""
    names = contents(archive)
    wanted = ["LICENSE", f"{package}.1", "py.typed"]
    if archive.suffix == ".gz":
        wanted += ["README.md", "CHANGELOG.md", "pyproject.toml"]
    for part in wanted:
        if not any(name.endswith(f"/{part}") for name in names):
            yield f"{archive.name} carries no {part}"
    for name in names:
        if "__pycache__" in name or name.endswith(".so"):
            yield f"{archive.name} carries {name}"


def smoke_failure(package: str, python: str) -> str | None:
    """Install one wheel alone and run its smoke test; return what went wrong."""
    version = projects()[package]["version"]
    try:
        with (
            environment(python, f"{package}=={version}") as place,
            tempfile.TemporaryDirectory() as cwd,
        ):
            done = subprocess.run(
                [place / "bin/python", "-I", "-W", "error", SMOKE / f"{package}.py", str(version)],
                capture_output=True,
                text=True,
                check=False,
                cwd=cwd,
                timeout=TIMEOUT,
            )
            return None if done.returncode == 0 else done.stdout + done.stderr
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        return str(error)


def main() -> None:
    """Build, check and try everything; the exit status is 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", choices=sorted(projects()), metavar="PACKAGE")
    chosen = parser.parse_args().only or sorted(projects())
    archives = build()
    failures = []
    for archive in archives:
        package = archive.name.partition("-")[0].replace("_", "-")
        failures += missing_parts(archive, package)
        print(f"built    {archive.name}  {archive.stat().st_size / 1000:.0f} kB", flush=True)
    twine = [sys.executable, "-m", "twine", "check", "--strict", *map(str, archives)]
    if subprocess.run(twine, check=False).returncode:
        failures.append("twine found fault with the metadata")
    for version, python in pythons().items():
        if python is None:
            print(f"skipped  Python {version}: not on this machine", flush=True)
            continue
        for package in chosen:
            begin = time.perf_counter()
            failure = smoke_failure(package, python)
            verdict = "works" if failure is None else "FAILED"
            spent = time.perf_counter() - begin
            print(f"{verdict:8} {package} on Python {version}, {spent:.0f} s", flush=True)
            if failure is not None:
                failures.append(f"{package} on Python {version}:\n{failure}")
    if missing := [name for name, address in known().items() if not address]:
        print(f"to fill  addresses.toml: {', '.join(missing)}")
    for failure in failures:
        print(f"release-check: {failure}", file=sys.stderr)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
