"""How the figures of the documentation look, on a light page and on a dark one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.figure import Figure

# The backgrounds are opaque, so that a viewer without themes shows either as it is.
SCHEMES = {
    "light": {"paper": "#ffffff", "ink": "#1f2328", "faint": "#d8dee4", "muted": "#6e7781"},
    "dark": {"paper": "#0d1117", "ink": "#e6edf3", "faint": "#30363d", "muted": "#8d96a0"},
}


def settings(scheme: str) -> dict[str, object]:
    """What matplotlib is set to for one scheme, `light` or `dark`."""
    colours = SCHEMES[scheme]
    return {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.facecolor": colours["paper"],
        "axes.facecolor": colours["paper"],
        "savefig.facecolor": colours["paper"],
        "text.color": colours["ink"],
        "axes.labelcolor": colours["ink"],
        "axes.edgecolor": colours["muted"],
        "axes.titlesize": 10,
        "xtick.color": colours["ink"],
        "ytick.color": colours["ink"],
        "grid.color": colours["faint"],
        "grid.linewidth": 0.6,
    }


def path_of(image: Path, scheme: str) -> Path:
    """`result.png` for a light page, `result-dark.png` for a dark one."""
    return image if scheme == "light" else image.with_stem(f"{image.stem}-{scheme}")


def save(image: Path, draw: Callable[[str], Figure]) -> list[Path]:
    """Draw a figure in each scheme; returns the files."""
    for scheme in SCHEMES:
        with plt.rc_context(settings(scheme)):
            figure = draw(scheme)
            figure.savefig(path_of(image, scheme), dpi=150, metadata={"Software": None})
            plt.close(figure)
    return [path_of(image, scheme) for scheme in SCHEMES]
