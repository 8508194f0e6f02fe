"""How a method looks on every chart: one name, one colour, one marker, the same throughout.

The colours follow Okabe & Ito, "Color Universal Design" (2008), which people with any of the common
colour deficiencies can tell apart, darkened or lightened to stand out from white and from black.
They are set in `page.css` as `--m0` to `--m7`; the markers differ too, so that no chart needs
colour to be read.
"""

from __future__ import annotations

import dataclasses

LABELS = {
    "auto": "thalweg (auto)",
    "l-bfgs": "L-BFGS",
    "adam": "Adam",
    "gradient-descent": "gradient descent",
    "zvode": "zvode",
}
_FIXED = {name: slot for slot, name in enumerate(LABELS)}
SLOTS = 8

# Each marker is a path around (0, 0), about 8 units across.
MARKERS = (
    "M4 0A4 4 0 1 1-4 0A4 4 0 1 1 4 0Z",  # circle
    "M-3.5-3.5H3.5V3.5H-3.5Z",  # square
    "M0-4.5L4.5 3.5H-4.5Z",  # triangle
    "M0-5L5 0L0 5L-5 0Z",  # diamond
    "M-4-2.2L-2.2-4L0-1.8L2.2-4L4-2.2L1.8 0L4 2.2L2.2 4L0 1.8L-2.2 4L-4 2.2L-1.8 0Z",  # cross
    "M0 4.5L4.5-3.5H-4.5Z",  # triangle downwards
    "M-1.5-4.5H1.5V-1.5H4.5V1.5H1.5V4.5H-1.5V1.5H-4.5V-1.5H-1.5Z",  # plus
    "M-4.5-2H4.5V2H-4.5Z",  # bar
)


@dataclasses.dataclass(frozen=True)
class Look:
    """How one method looks.

    Attributes:
        method: The method's name.
        label: The name that people read.
        css: The class that gives its colour.
        marker: The path of its marker.
    """

    method: str
    label: str
    css: str
    marker: str


def look_of(method: str) -> Look:
    """The look of a method; a method without a place of its own gets one from its name."""
    slot = _FIXED.get(method)
    if slot is None:
        free = SLOTS - len(_FIXED)
        slot = len(_FIXED) + sum(method.encode()) % free
    return Look(method, LABELS.get(method, method), f"m{slot}", MARKERS[slot])


def swatch(look: Look) -> str:
    """A small sample of line and marker, for legends; decoration beside the name."""
    return (
        f'<svg class="swatch {look.css}" viewBox="-14 -7 28 14" aria-hidden="true">'
        f'<path class="line" d="M-14 0H14"/><path class="mark" d="{look.marker}"/></svg>'
    )
