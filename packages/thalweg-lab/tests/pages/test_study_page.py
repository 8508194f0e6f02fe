"""The page of a study: what it says follows from the records, and each number leads to its runs."""

import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape
from typer.testing import CliRunner

from small_study import failed, made_up, small_study
from thalweg.cli import app
from thalweg.report.looks import Looks
from thalweg_lab import problems
from thalweg_lab.pages.study_charts import medians
from thalweg_lab.pages.study_page import StudyPage, render_study, write_page
from thalweg_lab.study import Answer, Chart, RunSpec, Store, Table
from thalweg_lab.study.running import adopt
from thalweg_lab.study.summary import summarise

STUDY = small_study(starts=3)
SPECS = STUDY.specs()
RUNS = [made_up(spec, (1.0, 0.5, 0.1 / (1 + spec.start))) for spec in SPECS]
NASTY = '<script>alert("x")</script> & `code`'


def answer(*ids: str) -> Answer:
    """An answer with a table and a chart."""
    return Answer(
        question=f"Which is it? {NASTY}",
        verdict=f"It is the other one. {NASTY}",
        numbers={"share": 0.25, "nothing": math.nan},
        tables=(Table("A table", ("who", "loss", "count"), (("ours", 1e-9, None),), (ids,)),),
        charts=(
            Chart(
                title="A chart",
                caption="How to read it.",
                x_label="steps",
                y_label="stiffness",
                lines={"ours": (np.arange(1.0, 5.0), np.arange(1.0, 5.0) ** 2)},
                run_ids=ids,
            ),
        ),
    )


def page(**changes: object) -> str:
    """The page of the made-up runs."""
    values = {
        "study": STUDY,
        "runs": RUNS,
        "total": len(SPECS),
        "answers": {"which": answer(RUNS[0].id, RUNS[1].id)},
        "tasks": {"xor": problems.load("xor")},  # without the sine's: the page must do without
    }
    return render_study(StudyPage(**{**values, **changes}))  # pyright: ignore[reportArgumentType]


def test_every_number_leads_to_runs_that_are_on_the_page():
    """All links lead to something on the page; every run is an anchor and is linked to."""
    text = page()
    anchors = re.findall(r'id="([^"]+)"', text)
    links = re.findall(r'href="#([^"]+)"', text)
    assert len(anchors) == len(set(anchors))
    assert set(links) <= set(anchors)
    ids = {f"run-{run.id}" for run in RUNS}
    assert ids <= set(anchors)
    assert ids <= set(links)
    # The table of methods, which comes from the definition and not from runs, is of another class.
    for table in re.findall(r'<table class="work(?: answer)?">.*?</table>', text):
        for row in re.findall(r"<tbody>(.*?)</tbody>", table)[0].split("</tr>")[:-1]:
            assert "#run-" in row


def test_the_answers_stand_first():
    """Verdicts in the head of the page, in words, and their sections before those of problems."""
    text = page()
    head = text.index("It is the other one.")
    assert head < text.index("</header>") < text.index('id="answer-which"')
    assert text.index('id="answer-which"') < text.index('<section id="xor"')
    assert text.index('<section id="sine"') < text.index('<section id="runs"')


def test_what_a_study_says_cannot_break_the_page():
    """Labels, titles, errors and verdicts with markup in them come out as text."""
    spec = dataclasses.replace(SPECS[0], method=NASTY)
    nasty = dataclasses.replace(STUDY, title=NASTY, about=NASTY)
    text = page(study=nasty, runs=[failed(spec, NASTY), made_up(SPECS[1])])
    assert "<script>alert" not in text
    assert text.count(escape('<script>alert("x")</script>')) >= 5


def test_unfinished_and_failed_runs_are_told():
    """The page of a part of the runs says how many are missing and which raised."""
    text = page(runs=[failed(SPECS[0], "ConfigError: no such thing"), *RUNS[1:5]])
    assert f"{len(SPECS) - 5} of {len(SPECS)} runs are not finished" in text
    assert "1 of 5 runs raised" in text
    assert "no such thing" in text
    assert "No run is finished." in page(runs=[], answers={})


def test_a_method_looks_the_same_everywhere_and_unlike_the_others():
    """64 labels have 64 looks; asking again, or for a stranger first, changes none."""
    labels = [f"method {n}" for n in range(64)]
    looks = Looks(labels)
    first = [looks(label) for label in labels]
    looks("a stranger")
    assert [looks(label) for label in labels] == first
    assert len({(look.css, look.marker) for look in first}) == 64
    assert len({look.css for look in first[:8]}) == 8


losses = st.lists(st.floats(1e-9, 1.0), min_size=1, max_size=6)


@given(st.lists(losses, min_size=1, max_size=4))
def test_a_median_curve_is_the_median_of_the_lowest_losses_so_far(lines: list[list[float]]):
    """At every place: of each run the least loss by then, kept after its end; of these the median.

    Each made-up run has one row a gradient, so the oracle is a slice.
    """
    runs = [
        made_up(RunSpec("xor", "ours", {"name": "auto"}, start, {"steps": 9}), line)
        for start, line in enumerate(lines)
    ]
    ((label, (places, values)),) = medians(runs, "gradients", "loss").items()
    assert label == "ours"
    assert places.tolist() == list(range(1, max(map(len, lines)) + 1))
    for place, value in zip(places.tolist(), values, strict=True):
        assert value == np.median([min(line[: int(place)]) for line in lines])


def test_a_measure_is_known_where_it_was_taken():
    """Between two places where it was taken the earlier value holds; before the first none does."""
    spec = SPECS[0]
    one = made_up(spec, (1.0,) * 4, measures=(math.nan, 0.5, math.nan, 0.9))
    places, values = medians([one], "gradients", "measure")[spec.method]
    assert dict(zip(places, values, strict=True)) == {2.0: 0.5, 4.0: 0.9}
    other = made_up(spec, (1.0,) * 4, measures=(0.1, 0.1, 0.1, 0.1))
    places, values = medians([one, other], "gradients", "measure")[spec.method]
    assert values.tolist() == pytest.approx([0.1, 0.3, 0.3, 0.5])


def test_a_summary_takes_the_medians_of_the_runs_that_did_not_raise():
    """Three runs and a failed one: four ids, one failed, the middle one's loss."""
    specs = [dataclasses.replace(SPECS[0], start=start) for start in range(4)]
    runs = [made_up(specs[n], (loss,)) for n, loss in enumerate((0.3, 0.1, 0.2))]
    (line,) = summarise([*runs, failed(specs[3], "x")])
    assert (line.runs, line.failed, line.loss) == (4, 1, 0.2)
    assert line.run_ids == tuple(spec.id for spec in specs)
    (nothing,) = summarise([failed(specs[3], "x")])
    assert math.isnan(nothing.loss)


def test_a_table_that_does_not_fit_is_refused():
    """Rows of another length than the head, or rows without ids, are an error at once."""
    with pytest.raises(ValueError, match="has 2 columns"):
        Table("t", ("a", "b"), (("x",),), (("id",),))
    with pytest.raises(ValueError, match="ids for 0"):
        Table("t", ("a", "b"), (("x", 1),), ())


def test_an_answer_as_json_names_its_runs():
    """Tables become rows by column with the ids behind them; NaN becomes null."""
    told = answer("one", "two").as_json()
    assert told["numbers"] == {"share": 0.25, "nothing": None}
    (row,) = told["tables"][0]["rows"]
    assert row == {"who": "ours", "loss": 1e-9, "count": None, "run_ids": ["one", "two"]}
    assert told["verdict"].startswith("It is the other one.")


def test_the_command_writes_the_page(tmp_path: Path):
    """`thalweg report DIR` writes DIR/report.html, the same as the library's."""
    store = Store(tmp_path / "out")
    adopt(store, STUDY)
    for made in RUNS:
        store.save(made)
    done = CliRunner().invoke(app, ["report", str(store.folder)])
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"report: {store.folder / 'report.html'}\n"
    write_page(STUDY, store, tmp_path / "own.html")
    assert (store.folder / "report.html").read_text() == (tmp_path / "own.html").read_text()
