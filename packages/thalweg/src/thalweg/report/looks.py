"""How an entrant looks on every page and figure: one name, one colour, one marker, one dash.

An entrant is a method, or a line of a chart that is called after one. A known entrant has its look
by name, so a colour means the same method on the demo's page, the benchmark's, a study's and in the
figures of the documentation. A variant of a method, such as `Adam, defaults`, has the method's
colour with a dash and a marker of its own. An entrant that is not known gets the first look that
nobody on the page has; `Looks` gives them out in the page's order.

There are twelve colours and more than thirty known methods, so methods that never stand on one page
share a colour, with another marker. No two looks are equal, and no chart needs colour to be read.

The first colours follow Okabe & Ito, "Color Universal Design" (2008), which people with any of the
common colour deficiencies can tell apart, darkened or lightened to stand out from white and from
black.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LABELS = {
    "auto": "thalweg (auto)",
    "l-bfgs": "L-BFGS",
    "adam": "Adam",
    "gradient-descent": "gradient descent",
}


class Colour(NamedTuple):
    """A colour, `#rrggbb`, for light and for dark pages."""

    light: str
    dark: str


class Marker(NamedTuple):
    """A marker: a path around (0, 0), about 8 units across, and what matplotlib calls it."""

    path: str
    matplotlib: str


COLOURS = (
    Colour("#0072b2", "#56b4e9"),  # blue
    Colour("#c94f00", "#ff8f45"),  # orange
    Colour("#00835f", "#2cc79b"),  # green
    Colour("#b0478b", "#e48fc6"),  # purple
    Colour("#5c6670", "#b4bdc8"),  # grey
    Colour("#8a6d00", "#e3c04a"),  # ochre
    Colour("#5b4bb5", "#a99bff"),  # violet
    Colour("#9b2d3c", "#ff6b7a"),  # dark red
    Colour("#0a8fa8", "#5fe0e6"),  # cyan
    Colour("#6f8b00", "#b9d63c"),  # lime
    Colour("#e0457b", "#ffb3a8"),  # rose
    Colour("#24336b", "#7f95d8"),  # navy
)
MARKERS = (
    Marker("M4 0A4 4 0 1 1-4 0A4 4 0 1 1 4 0Z", "o"),
    Marker("M-3.5-3.5H3.5V3.5H-3.5Z", "s"),
    Marker("M0-4.5L4.5 3.5H-4.5Z", "^"),
    Marker("M0-5L5 0L0 5L-5 0Z", "D"),
    Marker("M-4-2.2L-2.2-4L0-1.8L2.2-4L4-2.2L1.8 0L4 2.2L2.2 4L0 1.8L-2.2 4L-4 2.2L-1.8 0Z", "X"),
    Marker("M0 4.5L4.5-3.5H-4.5Z", "v"),
    Marker("M-1.5-4.5H1.5V-1.5H4.5V1.5H1.5V4.5H-1.5V1.5H-4.5V-1.5H-1.5Z", "P"),
    Marker("M-4.5 0L3.5-4.5V4.5Z", "<"),
    Marker("M4.5 0L-3.5-4.5V4.5Z", ">"),
    Marker("M0-4.8L4.6-1.5L2.8 3.9H-2.8L-4.6-1.5Z", "p"),
    Marker("M0-4.7L4.1-2.4V2.4L0 4.7L-4.1 2.4V-2.4Z", "h"),
    Marker("M0-5.5L1.4-1.9L5.2-1.7L2.2.7L3.2 4.5L0 2.3L-3.2 4.5L-2.2.7L-5.2-1.7L-1.4-1.9Z", "*"),
)
# Of a method's line and of its variants' lines, as SVG and matplotlib have them; "" is solid.
DASHES = ("", "7 3", "2 3")

# (colour, style) -> the names of one method: in the registry and as the benchmark and the studies
# call it. Methods that stand on one page have different colours wherever there are enough.
_KNOWN: dict[tuple[int, int], tuple[str, ...]] = {
    (0, 0): ("auto", "thalweg"),
    (1, 0): ("l-bfgs", "L-BFGS (SciPy)"),
    (2, 0): ("adam", "Adam"),
    (3, 0): ("gradient-descent", "gradient descent"),
    (4, 0): ("zvode", "stiff"),
    (5, 0): ("optax-l-bfgs", "L-BFGS (Optax)"),
    (6, 0): ("bfgs", "BFGS (SciPy)"),
    (7, 0): ("scipy-trf", "TRF (SciPy)"),
    (8, 0): ("optimistix-lm", "LM (Optimistix)"),
    (9, 0): ("scipy-lm", "LM (SciPy)"),
    (10, 0): ("ss-broyden", "SS-Broyden"),
    (11, 0): ("adam-l-bfgs", "Adam, then L-BFGS"),
    # Peers from papers; more methods stand on the benchmark's pages than there are colours.
    (4, 3): ("soap", "SOAP"),
    (8, 9): ("engd-w", "ENGD-W, SPRING"),
    (9, 9): ("adam-lbfgs-nncg", "NNCG"),
    (10, 9): ("ss-broyden-jax", "SS-Broyden (JAX)"),
    # The solvers of the studies, which never stand on one page with the peers above.
    (5, 3): ("vode",),
    (6, 3): ("lsoda",),
    (7, 3): ("cvode",),
    (8, 3): ("cvode-krylov",),
    (9, 3): ("scipy-bdf",),
    (10, 3): ("scipy-radau",),
    (11, 3): ("dopri5", "nonstiff"),
    (3, 3): ("tsit5",),
    (0, 3): ("rosenbrock",),  # a thirteenth, which is thalweg's own
    # The other integrators of thalweg, and the rest of the registry.
    (1, 6): ("implicit-geodesic",),
    (2, 6): ("exponential-krylov",),
    (3, 6): ("secant-euler",),
    (4, 6): ("sampled",),
    (5, 6): ("batch-euler",),
    (6, 6): ("bdf",),
    (7, 6): ("chebyshev",),
    (8, 6): ("bogacki-shampine",),
    (9, 6): ("switching",),
    (10, 6): ("ss-bfgs",),
    (11, 6): ("scipy-dogbox",),
    (0, 6): ("dop853",),
    (1, 9): ("kvaerno5",),
    (2, 9): ("kvaerno3",),
    (3, 9): ("optimistix-bfgs",),
    (4, 9): ("momentum",),
    (5, 9): ("scaled-geodesic",),
    (6, 9): ("self-scaled-bfgs",),
    (7, 9): ("self-scaled-broyden",),
}
_PLACES = {name: place for place, names in _KNOWN.items() for name in names}
# How the name of a variant ends, and how many styles after its method's its own is.
_VARIANTS = {", defaults": 1, " 1e-4": 1, " 1e-2": 2}


@dataclasses.dataclass(frozen=True)
class Look:
    """How one entrant looks.

    Attributes:
        method: The entrant's name.
        colour: Its place in `COLOURS`.
        style: Which of the twelve markers it has in this colour; by threes a method and its
            variants, the first with a solid line.
    """

    method: str
    colour: int
    style: int

    @property
    def label(self) -> str:
        """The name that people read."""
        return label_of(self.method)

    @property
    def css(self) -> str:
        """The classes that give colour and dash, as `page.css` has them."""
        return f"m{self.colour} d{self.style % len(DASHES)}"

    @property
    def marker(self) -> Marker:
        """The marker; of one colour, twelve styles have twelve of them."""
        return MARKERS[(self.colour + self.style) % len(MARKERS)]

    @property
    def dash(self) -> str:
        """The dashes of the line; empty where it is solid."""
        return DASHES[self.style % len(DASHES)]


def label_of(name: str) -> str:
    """The name of an entrant that people read."""
    return LABELS.get(name, name)


def known_look(name: str) -> Look | None:
    """The look of a known method or of a variant of one; None for any other name."""
    if name in _PLACES:
        return Look(name, *_PLACES[name])
    for ending, more in _VARIANTS.items():
        place = _PLACES.get(name.removesuffix(ending))
        if place is not None:
            return Look(name, place[0], place[1] + more)
    return None


class Looks:
    """From an entrant to its look, for one page or figure.

    Args:
        entrants: Everybody on the page, in the page's order. Others that are asked for later get
            looks that are still free.
    """

    def __init__(self, entrants: Iterable[str] = ()) -> None:
        entrants = tuple(dict.fromkeys(entrants))
        self._looks = {name: look for name in entrants if (look := known_look(name)) is not None}
        for name in entrants:
            self(name)

    def __call__(self, name: str) -> Look:
        """The look of an entrant."""
        if name not in self._looks:
            self._looks[name] = known_look(name) or self._free(name)
        return self._looks[name]

    def _free(self, name: str) -> Look:
        """A look that nobody has, in a colour that nobody has as long as there is one."""
        taken = {(look.colour, look.style) for look in self._looks.values()}
        colours = {colour for colour, _ in taken}
        free = [place for place in _places() if place not in taken]
        unused = (place for place in free if place[0] not in colours)
        return Look(name, *next(unused, free[0]))


def _places() -> Iterator[tuple[int, int]]:
    """Looks for entrants that are not known: those of methods seen less often come first."""
    colours = (*range(3, len(COLOURS)), 1, 2, 0)
    styles = range(len(MARKERS))
    yield from ((colour, style) for style, colour in itertools.product(styles, colours))
