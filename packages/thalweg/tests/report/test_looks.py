"""An entrant has one look everywhere, and no two entrants share one."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg
from thalweg.report.looks import COLOURS, MARKERS, Looks, known_look

PEERS = (
    "thalweg",
    "Adam",
    "L-BFGS (SciPy)",
    "L-BFGS (Optax)",
    "BFGS (SciPy)",
    "TRF (SciPy)",
    "LM (Optimistix)",
    "LM (SciPy)",
    "Adam, then L-BFGS",
    "SS-Broyden",
)
VARIANTS = ("Adam, defaults", "L-BFGS (Optax), defaults", "cvode 1e-2", "dopri5 1e-4")
REGISTRY = tuple(method.name for method in thalweg.methods())
DEMO = ("auto", "l-bfgs", "adam", "gradient-descent", "zvode")


def seen(look):
    """What a reader can tell apart."""
    return COLOURS[look.colour], look.marker, look.dash


def test_no_two_known_methods_share_a_look():
    """All of the registry at once, each by a look of its own that is the same on any page."""
    looks = Looks(REGISTRY)
    assert len({seen(looks(name)) for name in REGISTRY}) == len(REGISTRY) > 30
    for name in REGISTRY:
        assert known_look(name) == looks(name) == Looks()(name) == Looks(reversed(REGISTRY))(name)


def test_ten_peers_have_ten_colours():
    """The benchmark's entrants, and the methods of the demo."""
    for names in (PEERS, DEMO):
        looks = list(map(Looks(names), names))
        assert len({look.colour for look in looks}) == len(names)
        assert len({look.marker for look in looks}) == len(names)
        assert {look.dash for look in looks} == {""}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_has_its_methods_colour(name: str):
    """With a dash and a marker of its own."""
    method = name.removesuffix(", defaults").removesuffix(" 1e-2").removesuffix(" 1e-4")
    own, variant = known_look(method), known_look(name)
    assert own is not None
    assert variant is not None
    assert own.colour == variant.colour
    assert own.dash == ""
    assert variant.dash != ""
    assert own.marker != variant.marker


def test_the_same_method_looks_the_same_under_both_its_names():
    """As the registry, the benchmark and the studies call it."""
    for one, other in (("auto", "thalweg"), ("adam", "Adam"), ("l-bfgs", "L-BFGS (SciPy)")):
        assert seen(Looks()(one)) == seen(Looks()(other))


def test_twelve_unknown_entrants_have_twelve_colours():
    """And no two looks are equal where there are more, or where known methods are there too."""
    twelve = [f"entrant {n}" for n in range(12)]
    assert len({look.colour for look in map(Looks(twelve), twelve)}) == 12
    everybody = [*twelve, *PEERS, *VARIANTS]
    looks = Looks(everybody)
    assert len({seen(looks(name)) for name in everybody}) == len(everybody)
    for name in (*PEERS, *VARIANTS):
        assert looks(name) == known_look(name)


@given(st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=60))
def test_looks_are_unique_and_do_not_change(names: list[str]):
    """Whoever is asked for later changes nobody's look."""
    looks = Looks(names)
    first = [looks(name) for name in names]
    looks("a stranger")
    assert [looks(name) for name in names] == first
    assert len({seen(look) for look in first}) == len(names)


def test_there_is_a_look_for_each_pair_of_colour_and_marker():
    """144 entrants have 144 pairs of colour and marker."""
    names = [f"entrant {n}" for n in range(len(COLOURS) * len(MARKERS))]
    looks = Looks(names)
    pairs = {(look.colour, look.marker) for look in map(looks, names)}
    assert pairs == set(itertools.product(range(len(COLOURS)), MARKERS))
