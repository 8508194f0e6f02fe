"""The README says of the benchmark what the committed record says."""

import re

import pytest

from browser import find_browser, open_browser
from thalweg_lab.bench.new_process import known_of, load_new_processes
from thalweg_lab.bench.suite import FULL, PUBLISHED, entries

SCRIPT = "benchmark"


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


@pytest.mark.parametrize(
    ("ratio", "word"), [(0.9, "Behind"), (0.96, "Within 5 %"), (1.04, "Within 5 %"), (1.1, "Ahead")]
)
def test_a_ratio_near_1_is_neither_ahead_nor_behind(script, ratio, word):
    """The page names such problems apart."""
    page, results = script.PAGE.read_text(encoding="utf-8"), script.record()
    for problem in results["problems"]:
        for target in script.targets_of(problem):
            target.update(ratio=ratio, bound="measured")
    other = script.with_verdicts(page, results)
    assert other.count(f"** on average. {word} on `") == len(script.KINDS)


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
    from benchmark_pages import FOLDER, RECORDS, pages, read, results_of_record, with_targets

    records = [read(name) for name in RECORDS]
    record = records[0]
    again = results_of_record(script.record()).as_json()
    assert again["problems"] == list(map(with_targets, record["problems"]))
    assert again["profiles"] == record["profiles"]
    for name, text in pages(*records).items():
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
    added = with_races(record, later, may_add=True)
    assert added["problems"] == [*record["problems"], *later["problems"]]


def test_one_core_is_compared_with_two_against_the_same_peers(script):
    """At the targets that both sides reach in both; a peer that raced on two alone is left out."""
    from benchmark_pages import on_one_core, results_of_record

    record = results_of_record(script.record()).as_json()
    two = next(p for p in record["problems"] if p["problem"] == "sine")
    kept = [t for t in two["timings"] if t["label"] in ("thalweg", "BFGS (SciPy)")]
    slower = [
        {
            **t,
            "seconds": [
                s if s is None else s * (4 if t["label"] == "thalweg" else 2) for s in t["seconds"]
            ],
        }
        for t in kept
    ]
    alone = {
        **record,
        "problems": [{**two, "timings": slower}],
        "machines": [{**record["machines"][-1], "cores": 1}],
    }
    text = on_one_core(results_of_record(record), results_of_record(alone))
    (row,) = (line for line in text.splitlines() if line.startswith("| `sine`"))
    _, name, peers, targets, on_two, on_one, _ = map(str.strip, row.split("|"))
    assert (name, peers) == ("`sine`", "BFGS (SciPy)")
    assert float(on_one) == pytest.approx(float(on_two) / 2, rel=0.05)
    assert 0 < int(targets) <= len(two["targets"])
    assert ", 1 core, " in text


def test_every_entrant_of_the_record_is_one_that_can_be_run_again(script):
    """By the line that names its settings, so that new processes run what raced."""
    lines = {t["settings"] for p in script.record()["problems"] for t in p["timings"]}
    makers = script.makers()
    assert lines <= makers.keys()
    assert makers["ss-broyden-jax initial_scale=0"]["initial_scale"] is False
    assert makers["auto"] == {"name": "auto"}


@pytest.mark.usefixtures("script")
def test_new_processes_of_the_record_are_of_its_targets_and_from_clean_commits():
    """Measured to the middle target against the peer that the record finds quickest."""
    from benchmark_pages import FOLDER, read, results_of_record

    problems = results_of_record(read("results.json")).problems
    kept = load_new_processes(FOLDER)
    assert known_of(problems, kept)
    assert {one.problem for one in kept} <= {raced.problem for raced in problems}
    assert not any((one.commit or "+dirty").endswith("+dirty") for one in kept)


@pytest.mark.usefixtures("script")
def test_the_records_of_papers_and_of_one_core_are_of_those():
    """By suite, by budget and by the number of cores."""
    from benchmark_pages import read

    published, alone = read("published.json"), read("one-core.json")
    assert {machine["cores"] for machine in alone["machines"]} == {1}
    suite = {entry.problem: entry.seconds for entry in entries(PUBLISHED)}
    assert published["problems"]
    assert all(suite[p["problem"]] == p["budget"] for p in published["problems"])


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
