"""The README says of the benchmark what the committed record says."""

import json
import re

import pytest

from browser import find_browser, open_browser
from thalweg_lab.bench.suite import FULL, entries

SCRIPT = "benchmark"
RECORDS = ("results.json", "cost.json")


def test_the_readme_is_the_one_that_the_record_makes(script):
    """Nobody edited a number, and nobody forgot to make them again."""
    page = script.README.read_text(encoding="utf-8")
    assert script.filled(page, script.record()) == page
    for name in ("benchmark.png", "benchmark-dark.png"):
        assert f"docs/images/{name}" in page
        assert (script.IMAGE.parent / name).is_file()


def test_the_page_says_what_the_record_says_of_each_kind_of_problem(script):
    """Every problem stands there once, ahead or behind; another record says something else."""
    page, results = script.PAGE.read_text(encoding="utf-8"), script.record()
    assert script.with_verdicts(page, results) == page
    verdicts = page.partition("<!-- verdicts -->")[2].partition("<!-- end -->")[0]
    for problem in results["problems"]:
        assert verdicts.count(f"`{problem['problem']}` (") == 1
    for problem in results["problems"]:
        for target in script.targets_of(problem):
            target.update(ratio=0.25, bound="measured")
    other = script.with_verdicts(page, results)
    assert other.count("**0.25 times as fast** on average. Behind on") == len(script.KINDS)


def test_a_figure_has_a_row_for_each_problem(script):
    """And the title of each kind, on a light page as on a dark one."""
    results = script.record()
    (axes,) = script.drawn(results, "dark").axes
    rows = {label.get_text() for label in axes.get_yticklabels()}
    assert rows == {problem["problem"] for problem in results["problems"]}
    assert set(script.KINDS.values()) <= {text.get_text() for text in axes.texts}


def test_another_record_makes_another_readme(script):
    """The figures are not the script's."""
    page, results = script.README.read_text(encoding="utf-8"), script.record()
    for problem in results["problems"]:
        for target in script.targets_of(problem):
            target.update(ratio=0.25, bound="measured")
    assert script.filled(page, results).count("| 0.25 | 0.25 |") == len(script.KINDS)


def test_a_record_of_layout_1_and_one_of_layout_2_make_the_same_table(script):
    """What layout 1 called rungs are targets."""
    page, results = script.README.read_text(encoding="utf-8"), script.record()
    older = {
        **results,
        "problems": [
            {"rungs" if key == "targets" else key: value for key, value in problem.items()}
            for problem in results["problems"]
        ],
    }
    assert any("rungs" in problem for problem in older["problems"])
    assert script.filled(page, older) == script.filled(page, results)


def test_the_record_is_of_the_suite_from_clean_commits(script):
    """Each problem was run at the suite's budget and from all of its starts."""
    results = script.record()
    assert results["suite"] == FULL
    assert not any(commit.endswith("+dirty") for commit in results["commits"])
    suite = {entry.problem: (entry.starts, entry.seconds) for entry in entries(FULL)}
    found = {p["problem"]: (p["starts"], p["budget"]) for p in results["problems"]}
    assert found == {name: suite[name] for name in found}


def test_the_committed_pages_are_those_that_the_records_make(script):
    """The results read back from the record are the record, and the pages are made from them."""
    from benchmark_pages import FOLDER, pages, results_of_record, with_targets

    record, cost = (json.loads((FOLDER / name).read_text("utf-8")) for name in RECORDS)
    again = results_of_record(script.record()).as_json()
    assert again["problems"] == list(map(with_targets, record["problems"]))
    assert again["profiles"] == record["profiles"]
    for name, text in pages(record, cost).items():
        assert (FOLDER / name).read_text("utf-8") == text, name


def test_a_problem_that_was_raced_again_stands_as_it_was_then(script):
    """The others stay, sums and goals follow, and a problem from nowhere is refused."""
    from benchmark_pages import results_of_record, with_races

    record = results_of_record(script.record()).as_json()
    first, *others = record["problems"]
    targets = [{**target, "ratio": 7.0, "bound": "measured"} for target in first["targets"]]
    later = {
        **record,
        "problems": [{**first, "targets": targets}],
        "began": "2030-01-01T00:00:00+00:00",
        "ended": "2030-01-01T01:00:00+00:00",
        "commits": ["abc"],
        "runs": 5,
    }
    joined = with_races(record, later)
    assert joined["problems"][1:] == others
    assert {target["ratio"] for target in joined["problems"][0]["targets"]} == {7.0}
    assert joined["runs"] == record["runs"] + 5
    assert joined["commits"] == [*record["commits"], "abc"]
    assert joined["goals"] != record["goals"]
    assert results_of_record(joined).when == f"{record['began'][:10]} to 2030-01-01"
    later["problems"] = [{**first, "problem": "unheard-of"}]
    with pytest.raises(ValueError, match="unheard-of"):
        with_races(record, later)


def test_the_committed_pages_are_small_and_load_nothing(script):
    """Below 2 MB each, with no address but places on the page itself."""
    from benchmark_pages import FOLDER

    assert script.RECORD.parent == FOLDER
    for name in ("report.html", "cost.html"):
        text = (FOLDER / name).read_text("utf-8")
        assert len(text.encode()) < 2_000_000
        assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", text)


@pytest.mark.skipif(find_browser() is None, reason="no Chromium was found")
@pytest.mark.parametrize("width", [1280, 390], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_on_the_committed_pages_can_be_seen(script, tmp_path, width, scheme):
    """No box, label or table is cut off without a cue, and a chart is on the first two screens."""
    browser = find_browser()
    assert browser is not None
    with open_browser(browser, tmp_path) as page:
        for name in ("report.html", "cost.html"):
            page.look(width=width, scheme=scheme)
            page.open((script.RECORD.parent / name).as_uri())
            assert page.layout_faults() == []
            assert page.complaints == []
