"""What the benchmark shows: JSON, page, Markdown and the command say the same."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench_case import ENTRY, MAKERS, race
from command import interrupt_when, run
from small_study import made_up
from thalweg.cli import app
from thalweg_lab.bench.document import Results, results_of
from thalweg_lab.bench.peers import OURS
from thalweg_lab.bench.plan import entrants, first_specs, race_specs, tuning_specs
from thalweg_lab.bench.running import Unable
from thalweg_lab.bench.suite import QUICK, Entry, entries
from thalweg_lab.pages.bench_markdown import markdown
from thalweg_lab.pages.bench_page import render_bench
from thalweg_lab.pages.bench_words import error_rows
from thalweg_lab.study import Store


def with_a_loss() -> Results:
    """The made-up race, but L-BFGS is ten times as quick as it was."""
    lost = race()
    for made in lost.runs:
        if made.spec.maker["name"] == "l-bfgs":
            made.history["seconds"] = made.history["seconds"] / 10
    unable = [Unable(Entry("diabetes", "least squares", (), 1.0), "a library is missing")]
    return results_of(QUICK, [lost], unable)


def test_the_json_holds_every_number_and_no_other_than_json_knows():
    """Infinite times are null; goals, profiles, machine, versions and grids are there."""
    text = json.dumps(with_a_loss().as_json(), allow_nan=False)
    found = json.loads(text)
    (problem,) = found["problems"]
    assert [timing["label"] for timing in problem["timings"]] == list(MAKERS)
    assert problem["timings"][2]["seconds"][1:] == [None, None, None]
    assert [target["bound"] for target in problem["targets"]] == ["measured", "measured"] + [
        "at least"
    ] * 2
    assert found["machines"][0]["cores"] == 2
    assert found["unable"] == {"diabetes": "a library is missing"}
    assert found["grids"]["Adam"]["tried"][0] == {"learning_rate": 1e-4}
    assert {goal["standing"] for goal in found["goals"]} >= {"not run"}
    assert found["profiles"][OURS]["factor"][0] == 1.0


def test_the_page_says_first_what_is_lost_and_marks_bounds():
    """In its first sentence, then target by target before goals; what no peer reached is `≥`."""
    page = render_bench(with_a_loss())
    lead = page.index("A peer was quicker than thalweg at 2 of 4 targets")
    keys = ("profiles", "lost", "goals", "problems", "xor")
    places = [page.index(f'id="{key}"') for key in keys]
    assert [lead, *places] == sorted([lead, *places])
    lost = page[places[1] : places[2]]
    assert lost.count("L-BFGS (SciPy)") == 2  # at 1 and at 0.1
    assert "≥ " not in lost
    assert "≥ 10" in page[places[4] :]


def test_the_page_loads_nothing_and_its_charts_have_words():
    """Every picture has a title and a description; names and errors are text, not HTML."""
    page = render_bench(with_a_loss())
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", page)
    charts = re.findall(r'<svg viewBox="0 0 460.*?</svg>', page, re.DOTALL)
    assert len(charts) == 4  # profiles, and three of the problem
    assert all("<title" in chart and "<desc" in chart for chart in charts)
    assert "<b>no</b>" not in page
    assert "A &lt;small&gt; problem" in page


def test_without_runs_the_page_still_says_what_could_not_be_run():
    """And claims nothing."""
    unable = [Unable(Entry("diabetes", "least squares", (), 1.0), "a library is missing")]
    nothing = results_of(QUICK, [], unable)
    assert "a library is missing" in render_bench(nothing)
    assert "There are no targets yet." in markdown(nothing)
    assert {goal.standing for goal in nothing.goals} == {"not run"}


def test_the_markdown_has_whole_tables():
    """Every row of a table has as many cells as its head."""
    text = markdown(with_a_loss())
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("| ")]
    assert len(blocks) == 3  # goals, problems, lost targets
    assert all(len({line.count(" | ") for line in block}) == 1 for block in blocks)
    assert "A peer was quicker than thalweg at 2 of 4 targets on 1 problem." in text


def test_the_command_makes_only_what_is_missing_and_writes_everything(tmp_path: Path):
    """With all runs there, it writes results, page and summary, and prints the same."""
    (entry,) = entries(QUICK, only=["sine"], starts=1, seconds=0.5)
    store = Store(tmp_path / "race")
    tuning = [made_up(spec, (1.0, 0.5, 0.01)) for spec in tuning_specs(entry)]
    specs = [*first_specs(entry), *race_specs(entry, entrants(entry, tuning))]
    for made in [*tuning, *(made_up(spec, (1.0, 0.5, 0.01)) for spec in specs)]:
        store.save(made)
    before = store.ids()
    options = ["--only", "sine", "--starts", "1", "--seconds", "0.5"]
    copy = tmp_path / "copy.json"
    done = CliRunner().invoke(
        app, ["bench", *options, "--out", str(store.folder), "--json", str(copy)]
    )
    assert done.exit_code == 0, done.output
    assert store.ids() == before
    written = json.loads((store.folder / "results.json").read_text("utf-8"))
    assert json.loads(copy.read_text("utf-8")) == written
    assert written["problems"][0]["problem"] == "sine"
    assert "<h1>" in (store.folder / "report.html").read_text("utf-8")
    assert "`sine`" in (store.folder / "summary.markdown").read_text("utf-8")
    assert "thalweg lost none of" in done.stdout


def test_times_to_an_error_stand_in_the_page_the_summary_and_the_json():
    """Thalweg's and the quickest peer's; where the errors are not read off there is no table."""
    whole = race()
    for made in whole.runs:
        if len(made.history["loss"]):
            made.history["measure"] = made.history["loss"] / 10
    entry = dataclasses.replace(ENTRY, errors=(0.1, 0.01, 1e-6))
    results = results_of(QUICK, [dataclasses.replace(whole, entry=entry)])
    # Of ours, (0.1, 0.1, 0.1) and (0.2, 0.3, 0.1) seconds; nobody comes to 1e-6.
    assert error_rows(results) == [
        ("xor", "0.1", "0.1 s", "0.1 s", "Adam"),
        ("xor", "0.01", "0.2 s", "0.3 s", "L-BFGS (SciPy)"),
    ]
    assert "| `xor` | 0.01 | 0.2 s | 0.3 s | L-BFGS (SciPy) |" in markdown(results)
    title = "Median seconds to each error"
    assert title in render_bench(results)
    found = json.loads(json.dumps(results.as_json(), allow_nan=False))
    assert found["problems"][0]["timings"][0]["error_seconds"] == [
        pytest.approx(0.1),
        pytest.approx(0.2),
        None,
    ]
    plain = results_of(QUICK, [race()])
    assert title not in render_bench(plain)
    assert error_rows(plain) == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--only", "bugers"), "bugers"),
        (("--peer", "soup"), "soup"),
        (("--fits", "--peer", "soap"), "--peer"),
        (("--fits", "--suite", "published"), "--suite"),
        (("--cost", "--peer", "soap"), "--peer"),
    ],
)
def test_wrong_usage_of_the_benchmark_exits_with_2(options: tuple[str, ...], named: str):
    """What is wrong is named, nothing is printed on stdout."""
    done = run("bench", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(tmp_path: Path):
    """Status 130, no table on stdout, and the runs that were made are whole."""
    folder = tmp_path / "race"
    status, out, seen = interrupt_when(
        "first steps, 1 of", "bench", "--only", "iris", "--seconds", "60", "--out", str(folder)
    )
    assert (status, out) == (130, "")
    assert "the same command continues from there" in seen
    assert "Traceback" not in seen
    kept = Store(folder).load_all()
    assert [made.is_failed for made in kept] == [False] * len(kept)
    assert kept
