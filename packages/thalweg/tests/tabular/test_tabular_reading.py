"""Tables are read as they were written, and what cannot be read is answered in one sentence."""

import csv
from codecs import BOM_UTF8
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg import ThalwegError
from thalweg.tabular.reading import read_batches, read_table

# Any text but control characters and surrogates; a lone empty field is an empty line, which counts
# as none.
field = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from('\n"'), max_size=6)
grids = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(field, min_size=width, max_size=width).filter(lambda row: row != [""]),
        min_size=1,
        max_size=9,
    )
)


def written(path: Path, rows: list[list[str]], *, start: bytes = b"", **layout: str) -> Path:
    """A table as Python's own writer puts it, whose header is a, b, c, ..."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, **layout)
        writer.writerows([list("abcd")[: len(rows[0])], *rows])
    path.write_bytes(start + path.read_bytes())
    return path


@given(grids, st.sampled_from([b"", BOM_UTF8]), st.integers(1, 4), st.sampled_from(["\n", "\r\n"]))
def test_a_table_is_read_as_it_was_written(tmp_path_factory, grid, mark, batch, end):
    """Every field comes back in its place, in batches of any size, also after a byte-order mark."""
    path = tmp_path_factory.mktemp("grid") / "grid.csv"
    written(path, grid, start=mark, lineterminator=end)
    parts = list(read_batches(path, rows=batch))
    assert [list(row) for part in parts for row in part.frame.rows()] == grid
    assert sum(len(part) for part in parts) == len(grid)
    assert [number for part in parts for number in part.numbers] == [*range(1, len(grid) + 1)]
    assert parts[0].frame.columns == list("abcd")[: len(grid[0])]


@given(grids)
def test_the_line_of_a_row_is_where_it_ends_in_the_file(tmp_path_factory, grid):
    """Also after fields that hold line breaks."""
    path = written(tmp_path_factory.mktemp("lines") / "grid.csv", grid, lineterminator="\n")
    table = read_table(path)
    ends, line = [], 1
    for row in grid:
        line += 1 + sum(value.count("\n") for value in row)
        ends.append(line)
    assert table.lines == ends


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tabs.tsv", "a\tb\n1\t2,5\n3\t4,5\n"),
        ("semicolons.csv", "a;b\n1;2,5\n3;4,5\n"),
        ("blank lines.CSV", '\na,b\n1,"2,5"\n\n3,"4,5"\n\n'),
        ("unnamed.csv", ',a,b\n0,1,"2,5"\n1,3,"4,5"\n'),
    ],
)
def test_the_usual_kinds_of_files_are_understood(tmp_path: Path, name: str, text: str):
    """Tabs, semicolons, empty lines, and the nameless index that data frames write along."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert read_table(path).frame.rows() == [("1", "2,5"), ("3", "4,5")]


def test_parquet_comes_in_batches_with_the_same_rows(tmp_path: Path):
    """Of the size asked for, and numbered on."""
    frame = pl.DataFrame({"a": range(10), "b": list("abcdefghij")})
    frame.write_parquet(tmp_path / "x.parquet")
    parts = list(read_batches(tmp_path / "x.parquet", rows=4))
    assert [len(part) for part in parts] == [4, 4, 2]
    assert pl.concat([part.frame for part in parts]).equals(frame)
    assert parts[-1].place(1) == "row 10"


BAD = {
    "an empty file": ("x.csv", b"", ["empty", "column names"]),
    "a header alone": ("x.csv", b"a,b\n", ["header but no rows"]),
    "two columns of one name": ("x.csv", b"a,b,c,b\n1,2,3,4\n", ["`b`", "2nd", "4th", "rename"]),
    "a short line": ("x.csv", b"a,b\n1,2\n\n3\n", ["row 2 (line 4)", "1 values", "2 columns"]),
    "a long line": ("x.csv", b"a,b\n1,2,3\n", ["row 1 (line 2)", "3 values", "separator"]),
    "another encoding": ("x.csv", b"a,b\n1,2\n3,caf\xe9\n", ["not UTF-8", "line 3", "save it"]),
    "UTF-16": ("x.csv", "a,b\n1,2\n".encode("utf-16"), ["not UTF-8", "line 1"]),
    "an open quotation mark": ("x.tsv", b'a\tb\n1\t"2\n3\t4\n', ["quotation mark", "not closed"]),
    "no Parquet": ("x.parquet", b"a,b\n1,2\n", ["cannot be read as Parquet"]),
    "an empty Parquet file": ("x.parquet", b"", ["cannot be read as Parquet"]),
    "another suffix": ("x.xlsx", b"a,b\n1,2\n", ["`.xlsx`", "`.csv`, `.tsv` or `.parquet`"]),
    "no suffix": ("x", b"a,b\n1,2\n", ["no suffix"]),
}


@pytest.mark.parametrize(("name", "content", "words"), BAD.values(), ids=BAD)
def test_what_cannot_be_read_is_answered_in_one_sentence(tmp_path, name, content, words):
    """It names the file, what is wrong with it, and where."""
    path = tmp_path / name
    path.write_bytes(content)
    assert_said(path, words)


def test_a_table_that_is_not_there_is_answered_in_one_sentence(tmp_path: Path):
    """A missing file and a folder, in both formats."""
    assert_said(tmp_path / "gone.csv", ["no such file"])
    assert_said(tmp_path / "gone.parquet", ["no such file"])
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    assert_said(folder, ["is a directory"])


def test_a_parquet_file_without_rows_is_answered_in_one_sentence(tmp_path: Path):
    """As a CSV file is."""
    path = tmp_path / "x.parquet"
    pl.DataFrame({"a": []}).write_parquet(path)
    assert_said(path, ["no rows"])


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.95])
def test_a_damaged_parquet_file_is_answered_in_one_sentence(tmp_path: Path, cut: float):
    """Cut short anywhere."""
    path = tmp_path / "x.parquet"
    pl.DataFrame({"a": range(1000), "b": [f"{k:x}" for k in range(1000)]}).write_parquet(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(cut * len(content))])
    assert_said(path, ["cannot be read as Parquet"])


def assert_said(path: Path, words: list[str]) -> None:
    """Reading raises one line that names the file and holds all words."""
    with pytest.raises(ThalwegError) as caught:
        read_table(path)
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in (f"`{path}`", *words) if word not in message] == []
