"""The README says of the benchmark what the committed record says."""

from thalweg_lab.bench.suite import FULL, entries

SCRIPT = "benchmark"


def test_the_readme_is_the_one_that_the_record_makes(script):
    """Nobody edited a number, and nobody forgot to make them anew."""
    page = script.README.read_text(encoding="utf-8")
    assert script.filled(page, script.record()) == page
    assert "docs/images/benchmark.png" in page
    assert script.IMAGE.is_file()


def test_another_record_makes_another_readme(script):
    """The figures are not the script's."""
    page, results = script.README.read_text(encoding="utf-8"), script.record()
    for problem in results["problems"]:
        for rung in problem["rungs"]:
            rung.update(ratio=0.25, bound="measured")
    assert script.filled(page, results).count("| 0.25 | 0.25 |") == len(script.KINDS)


def test_the_record_is_of_the_suite_from_clean_commits(script):
    """Each problem was run at the suite's budget and from all of its starts."""
    results = script.record()
    assert results["suite"] == FULL
    assert not any(commit.endswith("+dirty") for commit in results["commits"])
    suite = {entry.problem: (entry.starts, entry.seconds) for entry in entries(FULL)}
    found = {p["problem"]: (p["starts"], p["budget"]) for p in results["problems"]}
    assert found == {name: suite[name] for name in found}
