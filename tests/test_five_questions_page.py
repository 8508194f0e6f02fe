"""docs/five-questions.md says what the committed record says."""

SCRIPT = "five_questions"


def test_the_page_is_the_one_that_the_record_makes(script):
    """Nobody edited a number, and nobody forgot to make the page anew."""
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
