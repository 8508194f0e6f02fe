"""The folder of a study: its definition, and three files a run.

    study.toml               what the study is
    runs/ID.json             the record: specification, outcome, work, times, machine, versions
    runs/ID.parquet          the history, one row a step
    runs/ID.safetensors      `params`, `path` and `path_rows`

The JSON is written last, so where it is there the run is whole. A run that is there is never
written again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg._util.files import whole_file
from thalweg._util.record import json_values
from thalweg.errors import ConfigError, DataError
from thalweg_lab.study.run import SCHEMA_VERSION, Run
from thalweg_lab.study.spec import RunSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RUNS, STUDY, LOCK = "runs", "study.toml", ".lock"
ARRAYS = ("params", "path", "path_rows")
_ELSEWHERE = ("history", *ARRAYS)  # what is not in the JSON


class Store:
    """The runs in a folder.

    Args:
        folder: The folder of a study; it is made when the first file is written.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._runs = self.folder / RUNS

    def path(self, run_id: str, kind: str = "json") -> Path:
        """Where a file of a run is: `json`, `parquet` or `safetensors`."""
        return self._runs / f"{run_id}.{kind}"

    def ids(self) -> list[str]:
        """The ids of all finished runs, sorted."""
        return sorted(path.stem for path in self._runs.glob("*.json") if path.stem[:1] != ".")

    def missing(self, specs: Iterable[RunSpec]) -> list[RunSpec]:
        """Those that are not finished yet, each once, in their order."""
        known = set(self.ids())
        return [spec for spec in dict.fromkeys(specs) if spec.id not in known]

    def save(self, run: Run) -> None:
        """Write a run.

        Raises:
            ConfigError: It is there already, or cannot be written.
        """
        if self.path(run.id).exists():
            raise ConfigError(
                f"run `{run.id}` is in `{self.folder}` already and is not written over; remove "
                f"`{self.path(run.id)}` first to make it again"
            )
        import polars as pl
        from safetensors.numpy import save as to_bytes

        values = {
            field.name: getattr(run, field.name)
            for field in dataclasses.fields(run)
            if field.name not in (*_ELSEWHERE, "spec")
        }
        record = {"id": run.id, "spec": run.spec.as_json(), **json_values(values)}
        try:
            self._runs.mkdir(parents=True, exist_ok=True)
            with whole_file(self.path(run.id, "parquet")) as new:
                pl.DataFrame(run.history).write_parquet(new, compression="zstd")
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
            DataError: It is not there, is damaged, or was written by a newer thalweg.
        """
        import polars as pl
        from safetensors import SafetensorError
        from safetensors.numpy import load as from_bytes

        path = self.path(run_id)
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            _refuse_newer(path, record["schema_version"])
            path = self.path(run_id, "parquet")
            history = pl.read_parquet(path)
            path = self.path(run_id, "safetensors")
            arrays = from_bytes(path.read_bytes())
            path = self.path(run_id)
            return _run(record, history, arrays)
        except DataError:
            raise
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            SafetensorError,
            pl.exceptions.PolarsError,
        ) as error:
            raise DataError(
                f"`{path}` cannot be read ({error}); remove the run's files `{RUNS}/{run_id}.*`, "
                "and the study makes it again"
            ) from error

    def load_all(self, specs: Iterable[RunSpec] | None = None) -> list[Run]:
        """All finished runs; of `specs`, in their order, where they are given."""
        if specs is None:
            return [self.load(run_id) for run_id in self.ids()]
        known = set(self.ids())
        return [self.load(spec.id) for spec in dict.fromkeys(specs) if spec.id in known]

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing here; a lock ends with its process, however that ends.

        Raises:
            ConfigError: Another process is writing here, or the folder cannot be written to.
        """
        import fcntl

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / LOCK).open("w")
        except OSError as error:
            raise _cannot_write(self.folder, error) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ConfigError(
                    f"another process is running the study in `{self.folder}`; wait for it, or "
                    "name another folder by `--out`"
                ) from error
            yield


def _refuse_newer(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise DataError(
            f"`{path}` has the layout {version} of a newer thalweg, and this one reads up to "
            f"{SCHEMA_VERSION}; update thalweg"
        )


def _run(record: dict[str, Any], history: Any, arrays: dict[str, np.ndarray]) -> Run:
    floats = {"loss", "measure"}  # written as null where they are not finite
    values = {
        field.name: record[field.name]
        for field in dataclasses.fields(Run)
        if field.name not in (*_ELSEWHERE, "spec")
    }
    values |= {name: math.nan for name in floats if values[name] is None}
    return Run(
        **values,
        spec=RunSpec.from_json(record["spec"]),
        history={name: history[name].to_numpy() for name in history.columns},
        params=arrays["params"],
        path=arrays["path"],
        path_rows=arrays["path_rows"],
    )


def _cannot_write(folder: Path, error: OSError) -> ConfigError:
    reason = error.strerror or str(error)
    return ConfigError(
        f"the study cannot be written to `{folder}` ({reason[:1].lower()}{reason[1:]}); the runs "
        "in it stay; make room, or name another folder by `--out`"
    )
