"""docs/five-questions.md says what the committed record says, each answer in one short sentence."""

import copy
import re

SCRIPT = "five_questions"
MOST_WORDS = 29  # of an answer
MOST_ROWS = 8  # of the table beside it


def test_the_page_is_the_one_that_the_record_makes(script):
    """Nobody edited a number, and nobody forgot to make the page again."""
    page = script.PAGE.read_text(encoding="utf-8")
    assert script.filled(page, script.read_records()) == page


def test_other_records_make_another_page(script):
    """Each answer has its place on the page."""
    page, records = script.PAGE.read_text(encoding="utf-8"), script.read_records()
    names = [name for record in records.values() for name in record["answers"]]
    assert len(names) == 6
    for record in records.values():
        for name, answer in record["answers"].items():
            answer["verdict"] = f"Verdict of {name}."
    changed = script.filled(page, records)
    assert all(f"**Verdict of {name}.**" in changed for name in names)


def test_each_answer_is_one_short_sentence_and_a_small_table(script):
    """What is longer stands below."""
    page = script.PAGE.read_text(encoding="utf-8")
    for record in script.read_records().values():
        for name, answer in record["answers"].items():
            marked = page.split(f"<!-- {name} -->\n", 1)[1].split("<!-- end -->", 1)[0]
            sentence, table = marked.strip().split("\n\n")
            assert sentence == f"**{answer['verdict']}**"
            assert len(answer["verdict"].split()) <= MOST_WORDS
            assert re.findall(r"[.?!](?:\s|$)", answer["verdict"]) == ["."]
            assert len(table.splitlines()) == 2 + len(answer["summary"])
            assert 1 <= len(answer["summary"]) <= MOST_ROWS


def test_verdicts_are_those_of_the_numbers(script):
    """A change of a rule or of a word shows in the record, or fails here."""
    for record in script.read_records().values():
        restated = copy.deepcopy(record)
        for answer in restated["answers"].values():
            answer.update(verdict="", summary=[])
        script.restate(restated)
        assert restated == record


def test_every_number_of_the_record_names_its_runs(script):
    """Each row of each table has the ids of runs."""
    for record in script.read_records().values():
        for answer in record["answers"].values():
            for table in answer["tables"]:
                assert all(row["run_ids"] for row in table["rows"])


def test_each_figure_of_the_page_is_there(script):
    """And the script draws no other."""
    page = script.PAGE.read_text(encoding="utf-8")
    drawn = {f"images/five-questions-{name}.png" for name in script.figures.FIGURES}
    assert all(image in page and (script.PAGE.parent / image).is_file() for image in drawn)
