"""The table of what each install weighs and brings, measured in fresh environments.

`make sizes` calls this. It builds the wheels, installs each alone with the newest versions that the
package index has, counts packages and bytes without bytecode, and writes the table between the
markers of docs/installing.md.
"""

from __future__ import annotations

import datetime as dt
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from fresh_environment import ROOT, build, environment

PAGE = ROOT / "docs/installing.md"
MARKERS = ("<!-- sizes -->\n", "<!-- end -->")
HEAVIEST = 3  # packages named for each install
NAMED = 5_000_000  # bytes from which a package is worth a name
# `thalweg[torch]` is left out: its size is that of the PyTorch that is chosen.
INSTALLS = (
    "cardsplit",
    "bootwatch",
    "bootwatch[keyring]",
    "bootwatch[notify]",
    "libufunc",
    "libufunc[numba]",
    "libufunc[cffi]",
    "libufunc[audit]",
    "libufunc[jax]",
    "thalweg",
    "thalweg[plot]",
    "thalweg[tables]",
    "thalweg[tensorboard]",
    "thalweg[mlflow]",
    "thalweg[wandb]",
    "thalweg-lab",
    "thalweg-lab[bench]",
)


@dataclass(frozen=True)
class Size:
    """What one install puts into an environment.

    Attributes:
        requirement: What was installed.
        packages: Bytes of each package by its name, without bytecode, the largest first.
    """

    requirement: str
    packages: dict[str, int]

    @property
    def total(self) -> int:
        """Bytes of all packages."""
        return sum(self.packages.values())

    def row(self) -> str:
        """Its line of the table."""
        large = [name for name, size in self.packages.items() if size >= NAMED][:HEAVIEST]
        named = ", ".join(f"{name} {megabytes(self.packages[name])}" for name in large)
        return (
            f"| `{self.requirement}` | {len(self.packages)} | {megabytes(self.total)} | "
            f"{named or 'none'} |"
        )


def megabytes(size: int) -> str:
    """A number of bytes in megabytes, with two digits."""
    millions = size / 1e6
    return f"{millions:.0f}" if millions >= 10 else f"{millions:.1f}"  # noqa: PLR2004


def weight(installed: Distribution) -> int:
    """Bytes of one package's files, without bytecode."""
    paths = [Path(str(file.locate())) for file in installed.files or [] if file.suffix != ".pyc"]
    return sum(path.stat().st_size for path in paths if path.is_file())


def measured(requirement: str) -> Size:
    """Install one requirement and look at what came."""
    with environment(sys.executable, requirement) as place:
        folder = next(place.glob("lib/python*/site-packages"))
        sizes = {one.name: weight(one) for one in distributions(path=[str(folder)])}
    return Size(requirement, dict(sorted(sizes.items(), key=lambda item: -item[1])))


def table(sizes: list[Size]) -> str:
    """The table, with where and when it was measured."""
    rows = "\n".join(size.row() for size in sizes)
    return f"""
| `pip install` | packages | MB | of which at least 5 MB |
| --- | ---: | ---: | --- |
{rows}

Measured on {dt.datetime.now(tz=dt.UTC):%Y-%m-%d} with Python {platform.python_version()} on
{platform.system()} {platform.machine()}, without the bytecode that Python adds, about a fifth.

"""


def main() -> None:
    """Measure every install, and write the table."""
    build()
    sizes = []
    for requirement in INSTALLS:
        sizes.append(measured(requirement))
        print(sizes[-1].row(), flush=True)
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(MARKERS[0])
    _, _, after = rest.partition(MARKERS[1])
    PAGE.write_text(before + MARKERS[0] + table(sizes) + MARKERS[1] + after, "utf-8")


if __name__ == "__main__":
    main()
