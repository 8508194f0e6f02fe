"""A model in a folder: its files, and how they are written and read.

    weights.safetensors   the weights and biases, `0.weights`, `0.biases`, `1.weights`, ...
    model.json            format, task, schema with preprocessing, network, versions, checksum
    run.json              the settings, the machine, how the fits went, the scores
    history.parquet       every step of every fit
    report.html           the same for people
    SHA256SUMS            checksums of all of these; `sha256sum --check SHA256SUMS` verifies them

`load_model` reads the first two and verifies their checksums.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from safetensors import SafetensorError
from safetensors.numpy import load as tensors_from_bytes
from safetensors.numpy import save as tensors_to_bytes

from thalweg._util.files import reason_of
from thalweg._util.machine import installed, this_machine
from thalweg._util.record import json_values, record_of
from thalweg.errors import DataError
from thalweg.tabular.folder import write_folder
from thalweg.tabular.model import Model
from thalweg.tabular.page import page_of
from thalweg.tabular.predict import parquet_bytes
from thalweg.tabular.schema import Schema

if TYPE_CHECKING:
    from thalweg.networks import Layers
    from thalweg.supervised.fit import Fit
    from thalweg.tabular.train import Trained

FORMAT = 2  # of the folder; incremented by every change that an older thalweg would misread
MODEL, WEIGHTS, SUMS = "model.json", "weights.safetensors", "SHA256SUMS"
RUN, HISTORY, REPORT = "run.json", "history.parquet", "report.html"
CHECKED = (MODEL, WEIGHTS)  # what a prediction uses
COLUMNS = ("step", "seconds", "loss", "grad_norm", "h", "gradients")  # of the history of a fit


def save(trained: Trained, folder: Path | str, *, force: bool = False) -> None:
    """Write a model to a folder that appears as a whole, or not at all.

    Args:
        trained: What `train_table` returned.
        folder: The folder to write.
        force: Whether an existing model may be replaced.

    Raises:
        ConfigError: The folder exists, or cannot be written.
    """
    weights = tensors_to_bytes(_tensors(trained.model.layers))
    contents = {
        WEIGHTS: weights,
        MODEL: _json(_description(trained, weights)),
        RUN: _json(_run(trained)),
        HISTORY: parquet_bytes(_history(trained)),
        REPORT: page_of(trained).encode(),
    }
    sums = "".join(f"{_sha256(content)}  {name}\n" for name, content in contents.items())

    def write(new: Path) -> None:
        for name, content in {**contents, SUMS: sums.encode()}.items():
            (new / name).write_bytes(content)

    write_folder(Path(folder), write, force=force)


def load_model(folder: Path | str) -> Model:
    """The model in a folder.

    Args:
        folder: A folder that `thalweg train` or `save` has written.

    Raises:
        DataError: There is no model, a newer thalweg wrote it, or a byte of it has changed.
    """
    folder = Path(folder)
    found = {name: _read(folder, name) for name in (*CHECKED, SUMS)}
    damaged = _damaged(found)
    try:
        description = json.loads(found[MODEL])
        number = int(description["format"])
        if number > FORMAT:
            suspicion = f", unless `{damaged[0]}` was damaged" if damaged else ""
            raise DataError(
                f"the model in `{folder}` has the format {number} of a newer thalweg, and this one "
                f"({installed('thalweg')}) reads up to {FORMAT}{suspicion}; update thalweg, or "
                "train the model again"
            )
        if not damaged:
            schema = Schema.from_json(description)
            return Model(schema, _layers(tensors_from_bytes(found[WEIGHTS])))
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        if isinstance(error, DataError):
            raise
        if not damaged:
            raise DataError(f"the model in `{folder}` cannot be read ({error})") from error
    raise DataError(
        f"`{folder / damaged[0]}` does not match its checksum in `{SUMS}`, so it was damaged or "
        "changed; restore the folder, or train the model again"
    )


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise DataError(
            f"`{folder}` is not a model: `{name}` cannot be read ({reason_of(error)}); name a "
            "folder that `thalweg train` has written"
        ) from error


def _damaged(found: dict[str, bytes]) -> list[str]:
    """The files, among those that a prediction uses, that do not match their checksums."""
    lines = found[SUMS].decode("ascii", errors="replace").splitlines()
    sums = {name: checksum for checksum, _, name in (line.partition("  ") for line in lines)}
    return [name for name in CHECKED if sums.get(name) != _sha256(found[name])]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _tensors(layers: Layers) -> dict[str, np.ndarray]:
    return {
        f"{place}.{name}": np.ascontiguousarray(array)
        for place, layer in enumerate(layers)
        for name, array in layer.items()
    }


def _layers(tensors: dict[str, np.ndarray]) -> Layers:
    return [
        {name: tensors[f"{place}.{name}"] for name in ("weights", "biases")}
        for place in range(len(tensors) // 2)
    ]


def _description(trained: Trained, weights: bytes) -> dict[str, Any]:
    model = trained.model
    return {
        "format": FORMAT,
        "task": trained.task.task,
        **model.schema.as_json(),
        "network": {"sizes": list(model.sizes), "activation": "tanh"},
        "weights": {"file": WEIGHTS, "sha256": _sha256(weights)},
        "versions": _versions(),
    }


def _versions() -> dict[str, str | None]:
    libraries = ("thalweg", "jax", "numpy", "polars", "safetensors")
    return {name: installed(name) for name in libraries}


def _run(trained: Trained) -> dict[str, Any]:
    machine = dataclasses.asdict(this_machine())
    machine["versions"] |= _versions()
    return {
        "began": trained.began.isoformat(timespec="seconds"),
        "asked": dataclasses.asdict(trained.asked),
        "data_sha256": trained.data_sha256,
        "machine": machine,
        **trained.as_json(),
        "fits": [_fit_record(trained, fit) for fit in trained.found.fits],
    }


def _fit_record(trained: Trained, fit: Fit) -> dict[str, Any]:
    """The record of one fit, without its history, which has a file of its own."""
    record = record_of(
        fit.solution,
        problem=trained.asked.data,
        method=trained.asked.method,
        settings=f"weight decay {fit.decay:g}",
        seed=trained.asked.seed,
        budget=trained.asked.seconds,
        targets=(),
        measure=fit.best,
    )
    return {name: value for name, value in record.as_json().items() if name != "history"}


def _history(trained: Trained) -> pl.DataFrame:
    """Every step of every fit, with the validation loss if there is one."""
    frames = []
    for number, fit in enumerate(trained.found.fits):
        history = fit.solution.history
        steps = history["step"].tolist()
        seen = [fit.validation.get(step) for step in steps]
        frames.append(
            pl.DataFrame(
                {
                    "fit": pl.Series([number] * len(steps), dtype=pl.Int64),
                    "weight_decay": pl.Series([fit.decay] * len(steps), dtype=pl.Float64),
                    "is_final": pl.Series([fit is trained.found.final] * len(steps)),
                    **{name: history[name] for name in COLUMNS},
                    "validation_loss": pl.Series(seen, dtype=pl.Float64),
                }
            )
        )
    return pl.concat(frames)


def _json(value: Any) -> bytes:
    return f"{json.dumps(json_values(value), indent=1, ensure_ascii=False)}\n".encode()
