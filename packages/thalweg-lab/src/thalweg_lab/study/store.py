"""The folder of a study: its definition, and three files for each run.

    study.toml               what the study is
    runs/ID.json             the record: specification, outcome, work, times, machine, versions
    runs/ID.npz              the history, one array for each column
    runs/ID.safetensors      `params`, `path` and `path_rows`

The JSON is written last, so a run whose JSON exists is complete. A complete run is never
overwritten. Histories of layout 1 are in `runs/ID.parquet` and need Polars.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import math
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import numpy as np
import pydantic

from thalweg._util.files import whole_file
from thalweg._util.record import json_values
from thalweg.errors import ConfigError, DataError, MissingExtraError
from thalweg_lab.study.mistakes import in_one_line
from thalweg_lab.study.run import SCHEMA_VERSION, Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from thalweg_lab.study.spec import RunSpec

RUNS, STUDY, LOCK = "runs", "study.toml", ".lock"
ARRAYS = ("params", "path", "path_rows")
_ELSEWHERE = ("history", *ARRAYS)  # what is not in the JSON
_NAN_AS_NULL = ("loss", "measure")  # JSON has no NaN


class Store:
    """The runs in a folder.

    Args:
        folder: The folder of a study; it is created when the first file is written.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._runs = self.folder / RUNS

    def path(self, run_id: str, kind: str = "json") -> Path:
        """Where a file of a run is: `json`, `npz` or `safetensors`; in layout 1 also `parquet`."""
        return self._runs / f"{run_id}.{kind}"

    def ids(self) -> list[str]:
        """The ids of all finished runs, sorted."""
        return sorted(path.stem for path in self._runs.glob("*.json") if path.stem[:1] != ".")

    def missing(self, specs: Iterable[RunSpec]) -> list[RunSpec]:
        """The runs that are not finished yet, each once, in the given order."""
        known = set(self.ids())
        return [spec for spec in dict.fromkeys(specs) if spec.id not in known]

    def save(self, run: Run) -> None:
        """Write a run.

        Raises:
            ConfigError: The run exists already, or cannot be written.
        """
        if self.path(run.id).exists():
            raise ConfigError(
                f"run `{run.id}` is in `{self.folder}` already and is not overwritten; to repeat "
                f"it, remove `{self.path(run.id)}` first"
            )
        from safetensors.numpy import save as to_bytes

        values = {
            field.name: getattr(run, field.name)
            for field in dataclasses.fields(run)
            if field.name not in (*_ELSEWHERE, "spec")
        }
        values |= {"schema_version": SCHEMA_VERSION}
        record = {"id": run.id, "spec": run.spec.as_json(), **json_values(values)}
        try:
            self._runs.mkdir(parents=True, exist_ok=True)
            with whole_file(self.path(run.id, "npz")) as new, new.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **run.history)
            with whole_file(self.path(run.id, "safetensors")) as new:
                arrays = {name: np.ascontiguousarray(getattr(run, name)) for name in ARRAYS}
                new.write_bytes(to_bytes(arrays))
            with whole_file(self.path(run.id)) as new:
                new.write_text(f"{json.dumps(record, indent=1)}\n", encoding="utf-8")
        except OSError as error:
            raise _cannot_write(self.folder, error) from error

    def load(self, run_id: str) -> Run:
        """A finished run.

        Raises:
            DataError: The run is not there, is damaged, or was written by a newer thalweg.
            MissingExtraError: Its history is a Parquet file, and Polars is not installed.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load as from_bytes

        path = self.path(run_id)
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            _refuse_newer(path, record["schema_version"])
            path = self.path(run_id, "safetensors")
            arrays = from_bytes(path.read_bytes())
            path = self.path(run_id, "parquet")
            is_old = path.exists()
            path = path if is_old else self.path(run_id, "npz")
            history = _read_parquet(path) if is_old else _read_npz(path)
            path = self.path(run_id)
            return _run(record, history, arrays)
        except (DataError, MissingExtraError):
            raise
        except (
            OSError,
            EOFError,
            ValueError,
            KeyError,
            TypeError,
            SafetensorError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise DataError(
                f"`{path}` cannot be read ({in_one_line(error)}); remove the files of this run, "
                f"`{RUNS}/{run_id}.*`, and start the study again to repeat it"
            ) from error

    def load_all(self, specs: Iterable[RunSpec] | None = None) -> list[Run]:
        """All finished runs, or those of `specs`, in their order."""
        if specs is None:
            return [self.load(run_id) for run_id in self.ids()]
        known = set(self.ids())
        return [self.load(spec.id) for spec in dict.fromkeys(specs) if spec.id in known]

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing here; the lock ends with its process, even if killed.

        Raises:
            ConfigError: Another process is writing here, or the folder cannot be written to.
        """
        lock = filelock.FileLock(self.folder / LOCK, timeout=0)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except filelock.Timeout as error:
            raise ConfigError(
                f"another process is running the study in `{self.folder}`; wait for it, or "
                "name another folder by `--out`"
            ) from error
        except OSError as error:
            raise _cannot_write(self.folder, error) from error
        try:
            yield
        finally:
            lock.release()


def _refuse_newer(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise DataError(
            f"`{path}` has layout {version}, but this thalweg reads layouts up to "
            f"{SCHEMA_VERSION}; update thalweg"
        )


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as columns:
        return dict(columns)


def _read_parquet(path: Path) -> dict[str, np.ndarray]:
    try:
        import polars as pl
    except ImportError as error:
        raise MissingExtraError(
            "polars", extra="parquet", needed_by=str(path), package="thalweg-lab"
        ) from error
    try:
        columns = pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise ValueError(str(error)) from error
    return {name: columns[name].to_numpy() for name in columns.columns}


@functools.cache
def _reader() -> pydantic.TypeAdapter[Run]:
    return pydantic.TypeAdapter(Run)


def _run(
    record: dict[str, Any], history: dict[str, np.ndarray], arrays: dict[str, np.ndarray]
) -> Run:
    missing = {name: math.nan for name in _NAN_AS_NULL if record[name] is None}
    values = {**record, **missing, "history": history, **{name: arrays[name] for name in ARRAYS}}
    return _reader().validate_python(values)


def _cannot_write(folder: Path, error: OSError) -> ConfigError:
    reason = error.strerror or str(error)
    return ConfigError(
        f"the study cannot be written to `{folder}` ({reason[:1].lower()}{reason[1:]}); make room, "
        "or name another folder by `--out`; finished runs are kept"
    )
