"""A study's definition: all mistakes are reported at once, by path; writing and reading agree."""

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from small_study import METHODS, small_study
from thalweg.errors import ConfigError
from thalweg_lab.peers import METHODS as ALL_METHODS
from thalweg_lab.study import Grid, Study
from thalweg_lab.study.configured import configured, mistakes, options_of
from thalweg_lab.study.definition import read_study, study_of, write_study

GOOD = """
name = "rates"
title = "Two rates"

[[grid]]
problems = ["xor"]
starts = 3
stop = { steps = 5 }

[grid.methods]
ours = "auto"
"Adam 0.1" = { name = "adam", learning_rate = 0.1 }
"""
# Each mistake as it stands in a file, with its path and words of the message.
MISTAKES = {
    'nmae = "x"': ("`nmae`", "did you mean `name`?"),
    "title = 3": ("`title`", "a text was expected"),
    'answers = "revisted"': ("`answers`", "did you mean `revisited`?"),
    '[[grid]]\nproblems = ["xor", "irsi", "xor"]': ("`grid[0].problems[1]`", "`iris`?"),
    "starts = [0, 0]": ("`grid[0].starts`", "different seeds"),
    "stop = { second = 3.0, steps = -1 }": ("`grid[0].stop.second`", "did you mean `seconds`?"),
    'watch = ["measures"]': ("`grid[0].watch[0]`", "did you mean `measure`?"),
    'colour = "red"': ("`grid[0].colour`", "is not a key of a study"),
    "[grid.methods]\n1 = 5": ("`grid[0].methods.1`", "a table was expected"),
    '2 = "lsodaa"': ("`grid[0].methods.2`", "did you mean `lsoda`?"),
    '3 = { name = "lsoda", rtoll = 1e-3 }': ("`grid[0].methods.3.rtoll`", "did you mean `rtol`?"),
    '4 = { name = "lsoda", max_order = 2.5 }': ("`grid[0].methods.4.max_order`", "whole number"),
    '5 = { name = "lsoda", max_order = 99 }': ("`grid[0].methods.5`", "from 1 to 12"),
    '6 = { name = "auto", rtol = 1 }': ("`grid[0].methods.6.rtol`", "there are none"),
    "7 = { rtol = 1 }": ("`grid[0].methods.7.name`", "the name of a method"),
    'g = "auto"\n[grid.quick]\nmethods = ["h"]': ("`grid[0].quick.methods[0]`", "is not a label"),
    "starts = 0": ("`grid[0].quick.starts`", "number of starts"),
    'title = ""': ("`grid[0].quick.title`", "is not a key of a study"),
}


def test_all_mistakes_are_reported_at_once():
    """A file with eighteen mistakes and more gets one message that has the path of each."""
    with pytest.raises(ConfigError) as caught:
        read_study("\n".join(MISTAKES), source="bad.toml")
    lines = str(caught.value).splitlines()
    for path, words in MISTAKES.values():
        assert [line for line in lines if line.strip().startswith(path) and words in line], path
    # Some of the lines hold a second mistake, and the name of the study is missing.
    seconds = {"`name`", "`grid[0].problems[2]`", "`grid[0].stop.steps`"}
    assert len(lines) == 1 + len(MISTAKES) + len(seconds)
    for path in seconds:
        assert [line for line in lines if line.strip().startswith(path)], path
    assert lines[0] == f"`bad.toml` holds {len(lines) - 1} mistakes:"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("starts = 3\n", ""), "`grid[0].starts` is missing"),
        (("{ steps = 5 }", "{ loss = 1e-3 }"), "sets no budget"),
        (("{ steps = 5 }", "{ seconds = inf }"), "`grid[0].stop.seconds` is infinite"),
        (('name = "rates"', 'name = "../up"'), "letters, digits, `-` and `_`"),
        (("[[grid]]", "[grid]"), "write at least one `[[grid]]`"),
        (("name = ", "name "), "is not TOML"),
    ],
)
def test_one_mistake_is_reported_alone(change: tuple[str, str], words: str):
    """A file with one mistake gets a message about that and nothing else."""
    with pytest.raises(ConfigError) as caught:
        read_study(GOOD.replace(*change), source="a file")
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


def test_one_label_is_one_method_with_one_budget_a_problem():
    """A second grid may not give a label another method, nor a problem and label another budget."""
    more = '\n[[grid]]\nproblems = ["xor"]\nstarts = 1\nstop = { steps = 6 }\n[grid.methods]\n'
    with pytest.raises(ConfigError, match=r"`grid\[1\].methods.ours` has on `xor` another `stop`"):
        read_study(f'{GOOD}{more}ours = "auto"', source="a file")
    other = more.replace('"xor"', '"sine"')
    with pytest.raises(ConfigError, match=r"`grid\[1\].methods.ours` is another method"):
        read_study(f'{GOOD}{other}ours = "lsoda"', source="a file")
    assert len(read_study(f'{GOOD}{other}ours = "auto"', source="a file").specs()) == 2 * 3 + 1


labels = st.text(min_size=1, max_size=20).filter(lambda s: s.strip() and s.isprintable())
makers = st.one_of(
    st.just({"name": "auto"}),
    st.builds(lambda rate: {"name": "adam", "learning_rate": rate}, st.floats(1e-9, 10)),
    st.builds(
        lambda rtol, order: {"name": "vode", "rtol": rtol, "max_order": order},
        st.floats(1e-12, 0.5),
        st.integers(1, 5),
    ),
)
seeds = st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True).map(tuple)
names = st.lists(st.sampled_from(("xor", "sine", "bessel")), min_size=1, unique=True).map(tuple)


@st.composite
def studies(draw: st.DrawFn) -> Study:
    """Studies of up to three grids with labels of their own."""
    grids = []
    for place in range(draw(st.integers(1, 3))):
        methods = draw(st.dictionaries(labels.map(f"{place}{{}}".format), makers, min_size=1))
        quick: dict[str, Any] = draw(
            st.fixed_dictionaries({}, optional={"starts": seeds, "problems": names})
        )
        grids.append(
            Grid(
                problems=draw(names),
                methods=methods,
                starts=draw(seeds),
                stop={"seconds": draw(st.floats(0.1, 9.0)), "loss": draw(st.floats(0, 1))},
                watch=draw(st.sampled_from([(), ("measure",), ("path", "measure")])),
                quick=quick,
            )
        )
    about = draw(st.text(max_size=30))
    return Study(name="s", title=draw(labels), grids=tuple(grids), about=about)


@given(studies())
def test_writing_and_reading_give_a_study_back(study: Study):
    """`read_study` undoes `write_study`, whatever the labels, titles and numbers are."""
    assert read_study(write_study(study), source="written") == study


@given(studies())
def test_there_are_as_many_runs_as_the_grids_have_places(study: Study):
    """Problems times methods times starts of each grid, each with an id of its own."""
    specs = study.specs()
    places = sum(len(g.problems) * len(g.methods) * len(g.starts) for g in study.grids)
    assert len(specs) == len({spec.id for spec in specs}) == places


def test_quick_takes_what_the_grid_says_or_two_starts():
    """`quick` replaces parts of its grid; without it two starts are left."""
    quick = {"methods": ("ours",), "starts": (7,), "stop": {"steps": 1}}
    (grid,) = small_study(starts=5, quick=quick).quickened().grids
    assert (list(grid.methods), grid.starts, grid.stop) == (["ours"], (7,), {"steps": 1})
    assert grid.problems == ("xor", "sine")
    (plain,) = small_study(starts=5).quickened().grids
    assert (plain.starts, plain.methods) == ((0, 1), METHODS)


def test_an_id_depends_on_everything_that_decides_a_run():
    """Changing any field of a specification changes its id."""
    spec = small_study().specs()[0]
    others = [
        dataclasses.replace(spec, **change)
        for change in (
            {"problem": "sine"},
            {"method": "theirs"},
            {"maker": {"name": "lsoda"}},
            {"start": 5},
            {"stop": {"steps": 4}},
            {"watch": ("path",)},
        )
    ]
    assert len({spec.id, *(other.id for other in others)}) == 1 + len(dataclasses.fields(spec))


@pytest.mark.parametrize("name", ["auto", *ALL_METHODS])
def test_every_method_can_be_made_by_name_and_refuses_what_it_does_not_know(name: str):
    """A name alone makes the method; an option that it lacks is a mistake."""
    made = configured({"name": name})
    assert name in {made, getattr(made, "name", made)}
    assert [key for key, _ in mistakes({"name": name, "nonsense": 1})] == ["nonsense"]


def test_options_reach_the_method():
    """Tolerances, orders and rates are those of the object that runs."""
    lsoda: Any = configured({"name": "lsoda", "rtol": 1e-2, "max_order": 2})
    assert (lsoda.rtol, lsoda.max_order, lsoda.integrator) == (1e-2, 2, "lsoda")
    bdf: Any = configured({"name": "bdf", "rtol": 1e-3, "loosest": 0.1})
    assert (bdf.control.rtol, bdf.control.loosest) == (1e-3, 0.1)
    adam: Any = configured({"name": "adam", "learning_rate": 0.3})
    assert adam.learning_rate == 0.3
    assert adam is configured({"learning_rate": 0.3, "name": "adam"})  # so it compiles once
    assert "rtol" in options_of("rosenbrock")
    assert options_of("auto") == {}


def test_options_of_momentum_keep_its_decay():
    """Another rate leaves momentum a momentum: its second update is longer than its first."""
    import numpy as np

    import thalweg as tw

    line = tw.Scalar(lambda p: p.sum())  # the gradient is 1 everywhere
    momentum = configured({"name": "momentum", "learning_rate": 0.5})
    solution = tw.minimize(line, np.zeros(1), momentum, tw.Stop(steps=2))
    assert math.isclose(float(solution.params[0]), -0.5 - 0.5 * 1.9)


def test_the_example_of_the_documentation_is_a_study():
    """The TOML block of docs/studies.md has no mistake, and nine runs, quick three."""
    page = Path(__file__).parents[4] / "docs" / "studies.md"
    (block,) = re.findall(r"^```toml\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    example = read_study(block, source="studies.md")
    assert (len(example.specs()), len(example.quickened().specs())) == (9, 3)


def test_a_table_without_grids_is_no_study():
    """An empty table is refused, with what is missing."""
    with pytest.raises(ConfigError, match="`grid` is missing"):
        study_of({"name": "x"}, source="nothing")
