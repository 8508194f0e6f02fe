"""The folder of a study: what is written is read back, and nothing is overwritten."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from small_study import made_up, small_study
from thalweg.errors import ConfigError, DataError, MissingExtraError
from thalweg_lab.study import Run, RunSpec, Store
from thalweg_lab.study.running import adopt, definition

SPEC = small_study().specs()[0]
numbers = st.floats(width=64)  # infinite and NaN ones too


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Runs with any numbers in any place."""
    rows = draw(st.integers(0, 5))
    n, k = draw(st.integers(0, 4)), draw(st.integers(0, 3))
    column = hnp.arrays(np.float64, rows, elements=numbers)
    theta = st.sampled_from((np.float32, np.float64))
    spec = RunSpec(
        problem="xor",
        method=draw(st.text(min_size=1)),
        maker={"name": "adam", "learning_rate": draw(st.floats(0, 1))},
        start=draw(st.integers(0, 2**31)),
        stop={"steps": draw(st.integers(1, 9))},
    )
    return Run(
        spec=spec,
        outcome=draw(st.sampled_from(("converged", "failed"))),
        error=draw(st.text()),
        loss=draw(st.just(np.nan) | st.floats(0, 1e300)),
        measure=draw(st.just(np.nan) | st.floats(-1, 1)),
        seconds=draw(st.floats(0, 1e6)),
        steps=draw(st.integers(0, 10**12)),
        work={"gradients": draw(st.integers(0, 10**15))},
        history={
            "step": np.arange(rows),
            **draw(st.fixed_dictionaries({"loss": column, "measure": column})),
        },
        params=draw(hnp.arrays(draw(theta), n)),
        path=draw(hnp.arrays(draw(theta), (k, n))),
        path_rows=np.arange(k),
        threads=draw(st.none() | st.integers(1, 64)),
        commit=draw(st.none() | st.just("0" * 40)),
        machine={"processor": draw(st.text()), "cores": 2, "versions": {"jax": None}},
    )


@given(runs())
def test_loading_gives_the_saved_run_back(tmp_path_factory: pytest.TempPathFactory, run: Run):
    """Every field comes back equal, arrays with their dtype, NaN as NaN; in three files."""
    store = Store(tmp_path_factory.mktemp("study"))
    store.save(run)
    back = store.load(run.id)
    for field in dataclasses.fields(Run):
        old, new = getattr(run, field.name), getattr(back, field.name)
        if field.name == "history":
            assert list(new) == list(old)
            old, new = list(old.values()), list(new.values())
        for a, b in zip(*((x if isinstance(x, list) else [x]) for x in (old, new)), strict=True):
            if isinstance(a, np.ndarray):
                assert a.dtype == b.dtype
                np.testing.assert_array_equal(a, b)
            else:
                assert a == b or (a != a and b != b)  # noqa: PLR0124 - NaN is not itself
    assert len(list(store.folder.rglob("*.*"))) == 3


def test_a_finished_run_is_not_written_over(tmp_path: Path):
    """A second save of the same specification is refused, and the first stays as it was."""
    store = Store(tmp_path)
    store.save(made_up(SPEC, (1.0, 0.5)))
    before = store.path(SPEC.id).read_bytes()
    with pytest.raises(ConfigError, match="is not overwritten"):
        store.save(made_up(SPEC, (9.0,)))
    assert store.path(SPEC.id).read_bytes() == before
    assert store.load(SPEC.id).loss == 0.5


def test_missing_runs_are_those_without_a_record(tmp_path: Path):
    """What was saved is not missing; each of the others is, once, in its order."""
    store, specs = Store(tmp_path), small_study().specs()
    assert store.missing([*specs, specs[0]]) == specs
    store.save(made_up(specs[1]))
    assert store.missing(specs) == [specs[0], *specs[2:]]
    assert [run.spec for run in store.load_all(specs)] == [specs[1]]


def test_a_run_cut_short_while_it_is_written_is_missing(tmp_path: Path):
    """Arrays and history without the record, which is written last, are no run, and can be."""
    store = Store(tmp_path)
    store.save(made_up(SPEC))
    store.path(SPEC.id).rename(store.path(f".{SPEC.id}", "json.part"))
    assert store.missing([SPEC]) == [SPEC]
    assert store.ids() == []
    store.save(made_up(SPEC, (3.0, 2.0)))
    assert store.load(SPEC.id).loss == 2.0


@pytest.mark.parametrize("kind", ["json", "npz", "safetensors"])
def test_a_damaged_file_is_named(tmp_path: Path, kind: str):
    """A file that was cut in half is named, with what to do."""
    store = Store(tmp_path)
    store.save(made_up(SPEC))
    path = store.path(SPEC.id, kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=rf"{SPEC.id}\.{kind}` cannot be read"):
        store.load(SPEC.id)


def as_layout_1(store: Store, run: Run) -> None:
    """Turn a saved run into what layout 1 was: the history in a Parquet file."""
    pl = pytest.importorskip("polars")
    path = store.path(run.id)
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "schema_version": 1}))
    pl.DataFrame(run.history).write_parquet(store.path(run.id, "parquet"), compression="zstd")
    store.path(run.id, "npz").unlink()


def test_a_record_of_layout_1_is_read_and_can_be_saved_again(tmp_path: Path):
    """Its columns come back in their order and dtype; elsewhere it is written as of today."""
    store, run = Store(tmp_path / "old"), made_up(SPEC, (1.0, np.nan, 0.5), measures=(1, 2, 3))
    store.save(run)
    as_layout_1(store, run)
    old = store.load(run.id)
    assert old.schema_version == 1
    new = Store(tmp_path / "new")
    new.save(old)
    for back in (old, new.load(run.id)):
        assert list(back.history) == list(run.history)
        for name, column in run.history.items():
            assert back.history[name].dtype == column.dtype
            np.testing.assert_array_equal(back.history[name], column)
    assert new.load(run.id).schema_version == 2
    assert not new.path(run.id, "parquet").exists()


def test_a_record_of_layout_1_without_polars_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Runs of today are read without Polars; for an old one the sentence says what to install."""
    store, run = Store(tmp_path), made_up(SPEC)
    store.save(run)
    old = tmp_path / "old"
    other = Store(old)
    other.save(run)
    as_layout_1(other, run)
    monkeypatch.setitem(sys.modules, "polars", None)
    assert store.load(run.id).loss == run.loss
    with pytest.raises(MissingExtraError, match=r"pip install 'thalweg-lab\[parquet\]'"):
        other.load(run.id)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": "many"}, "`steps` is 'many'"),
        ({"spec": {"problem": "xor"}}, "`spec.method` is missing"),
        ({"work": []}, "`work` is \\[\\], but a table was expected"),
    ],
)
def test_a_record_with_a_wrong_value_names_its_place(tmp_path: Path, change: dict, words: str):
    """A record that somebody edited is reported by file and key."""
    store = Store(tmp_path)
    store.save(made_up(SPEC))
    path = store.path(SPEC.id)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DataError, match=rf"{SPEC.id}\.json` cannot be read \({words}"):
        store.load(SPEC.id)


def test_a_record_of_a_newer_layout_is_refused(tmp_path: Path):
    """An older thalweg does not misread what a newer one wrote."""
    store = Store(tmp_path)
    store.save(made_up(SPEC))
    record = json.loads(store.path(SPEC.id).read_text())
    store.path(SPEC.id).write_text(json.dumps({**record, "schema_version": 99}))
    with pytest.raises(DataError, match="has layout 99"):
        store.load(SPEC.id)


def test_a_folder_of_another_study_is_refused(tmp_path: Path):
    """The same study may come again, under another title too; a smaller version is another."""
    store = Store(tmp_path)
    adopt(store, small_study())
    adopt(store, small_study())
    adopt(store, dataclasses.replace(small_study(), title="Another title", about="Why?"))
    assert definition(store) == small_study()
    with pytest.raises(ConfigError, match="holds another study"):
        adopt(store, small_study(starts=1))
    (tmp_path / "study.toml").unlink()
    store.save(made_up(SPEC))
    with pytest.raises(ConfigError, match="holds runs without"):
        adopt(store, small_study())


def test_two_processes_do_not_run_in_one_folder(tmp_path: Path):
    """While one holds the folder another is refused; it is free again when the first is killed."""
    script = """if True:
        import sys, time
        from thalweg_lab.study import Store
        with Store(sys.argv[1]).locked():
            print("held", flush=True)
            time.sleep(60)
    """
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match="another process"), Store(tmp_path).locked():
            pass
        process.kill()
    with Store(tmp_path).locked():
        pass


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path):
    """A file where the folder should be is reported in a sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written to"):
        Store(tmp_path / "file").save(made_up(SPEC))
    with (
        pytest.raises(ConfigError, match="cannot be written to"),
        Store(tmp_path / "file").locked(),
    ):
        pass
