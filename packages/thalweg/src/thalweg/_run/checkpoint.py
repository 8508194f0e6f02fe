"""Checkpoints: the state of a run in one file, so that it can resume whatever ended it.

The file is in the safetensors format. Its arrays are what the loop carries, the history, and the
best point. Its metadata are JSON: the version of the format, the method, the layout of the
parameters and the clock, with a digest of everything. A resumed run takes the same steps, bit for
bit, that it would have taken without the interruption, on the same machine and versions.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from thalweg._run.notes import Earlier, Notes
from thalweg._util.files import whole_file
from thalweg.errors import ConfigError
from thalweg.solvers.base import AbstractJitMethod, described

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from thalweg.flow import Flow
    from thalweg.flow.flatten import ParamSpec
    from thalweg.flow.sharding import Devices
    from thalweg.solvers.base import AbstractMethod

FORMAT = 2  # the version of the file's layout
KEY = "thalweg"  # where the metadata have the JSON text
DIGEST = "sha256"  # and where the digest of that and of the arrays
WHOLE_FILE, NO_FILE, NOT_READ = b"=", b"0", b"!"  # how a message between processes begins
UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}
RENAMED = {"Optax": "OptaxOptimizer", "Diffrax": "DiffraxSolver", "Optimistix": "OptimistixSolver"}


class Saved(NamedTuple):
    """The state of a run.

    Attributes:
        loop: What the loop carries, leaf by leaf.
        history: One array a column, of equal lengths.
        best_theta: The best point so far, shape `(n,)`.
        best_loss: The loss there.
        stage: Which of the methods that hand over to one another is running, from 0.
        seconds: Wall time of the run so far, without compilation.
        compile_seconds: What compilation took so far.
        notes: What is known beyond the rows; a file of an earlier version holds none.
    """

    loop: list[np.ndarray]
    history: Mapping[str, np.ndarray]
    best_theta: np.ndarray
    best_loss: float
    stage: int
    seconds: float
    compile_seconds: float
    notes: Notes = Notes()


def interval(every: str | float) -> float:
    """Seconds for `30`, `"30s"`, `"5min"` or `"1h"`.

    Raises:
        ConfigError: It is none of these, or negative.
    """
    found = re.fullmatch(r"\s*([0-9.eE+-]+)\s*(s|min|h)?\s*", str(every))
    try:
        seconds = float(found[1]) * UNITS[found[2] or "s"] if found else math.nan
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise ConfigError(
            f"`checkpoint_every` is {every!r}, but seconds or a text such as '30s', '5min' or "
            "'1h' was expected"
        )
    return seconds


def open_checkpoint(
    path: str | Path, every: str | float, method: AbstractMethod, flow: Flow
) -> Checkpoint:
    """The checkpoint of a run; nothing is read or written yet.

    Raises:
        ConfigError: The method cannot be kept, or `every` is no interval.
    """
    if not isinstance(method, AbstractJitMethod):
        raise ConfigError(
            f"`checkpoint` was given, but `{method.name}` keeps its state inside another library, "
            "where it cannot be saved; leave `checkpoint` out, or choose one of thalweg's own "
            "methods"
        )
    return Checkpoint(Path(path), interval(every), described(method), flow.spec, flow.devices)


@dataclasses.dataclass
class Checkpoint:
    """Where the state of one run is kept.

    Attributes:
        path: The file.
        every: Seconds between two writes, from the beginning of one to that of the next.
        method: The method with its settings, as text.
        spec: The layout of the parameters.
        devices: What the run is divided over; None for one device. With several processes, the
            first reads and writes, and sends the others what it read; once one has gone, any of
            them may write what it has.
    """

    path: Path
    every: float
    method: str
    spec: ParamSpec
    devices: Devices | None = None
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._due = self.clock() + self.every
        self._has_warned = False

    @property
    def is_kept_here(self) -> bool:
        """Whether this process is the one that writes."""
        return self._process == 0

    @property
    def _process(self) -> int:
        return 0 if self.devices is None else self.devices.process

    @property
    def is_due(self) -> bool:
        """Whether it is for this process to write, and the time for it has come.

        What is lost when the process is killed is what it has done since the last write that was
        completed: at most an interval, the time of two writes, and one call of the compiled
        program. On a slow disk writes follow each other no closer than they take, so that half of
        the time stays for the run.
        """
        return self.is_kept_here and self.clock() >= self._due

    def write(self, saved: Saved) -> None:
        """Put the state into the file, as a whole.

        Raises:
            OSError: It cannot be written; the file is as it was.
        """
        from safetensors.numpy import save

        began = self.clock()
        arrays = _named(saved)
        facts = {
            "format": FORMAT,
            "method": self.method,
            "parameters": self._layout,
            "best_loss": saved.best_loss.hex(),
            "stage": saved.stage,
            "seconds": saved.seconds,
            "compile_seconds": saved.compile_seconds,
            "notes": [saved.notes.detail, saved.notes.earlier],
        }
        text = json.dumps(facts)
        with whole_file(self.path, writer=self._process) as new:
            new.write_bytes(save(arrays, metadata={KEY: text, DIGEST: _digest(text, arrays)}))
        self._plan_next(began)

    def _plan_next(self, began: float) -> None:
        """The time of the next write, after one that began then and is over now."""
        now = self.clock()
        self._due = max(began + self.every, now + (now - began))

    def write_first(self, saved: Saved) -> None:
        """As `write`, at the beginning of a run, where a failure is an error.

        Raises:
            ConfigError: It cannot be written; in all processes.
        """
        reason = ""
        if self.is_kept_here:
            try:
                self.write(saved)
            except OSError as error:
                reason = error.strerror or str(error)
        if self.devices is not None:
            reason = self.devices.from_first(reason.encode()).decode()
        if reason:
            raise ConfigError(
                f"the checkpoint `{self.path}` cannot be written ({reason}); name a file in a "
                "folder that can be written to"
            )

    def try_to_write(self, saved: Saved) -> None:
        """As `write`, but a full disk does not end a run: it warns once."""
        began = self.clock()
        try:
            self.write(saved)
        except OSError as error:
            self._plan_next(began)
            if not self._has_warned:
                self._has_warned = True
                warnings.warn(
                    f"the checkpoint `{self.path}` could not be written "
                    f"({error.strerror or error}); the run goes on and tries again",
                    stacklevel=2,
                )

    def read(self) -> Saved | None:
        """The state in the file; None where there is no file yet.

        Raises:
            ConfigError: The file is damaged, or of another run.
        """
        if self.devices is None or self.devices.processes == 1:
            return self._read(self.path)
        sent = self.devices.from_first(self._sent() if self.is_kept_here else b"")
        mark, content = sent[:1], sent[1:]
        if mark == NO_FILE:
            return None
        if mark == NOT_READ:
            raise self._unreadable(content.decode())
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "checkpoint")
            copy.write_bytes(content)
            return self._read(copy)

    def _sent(self) -> bytes:
        """What the first process sends the others: a mark, then the content or a reason."""
        try:
            return WHOLE_FILE + self.path.read_bytes()
        except FileNotFoundError:
            return NO_FILE
        except OSError as error:
            return NOT_READ + (error.strerror or str(error)).encode()

    def _read(self, path: Path) -> Saved | None:
        if path.is_dir():
            raise ConfigError(
                f"the checkpoint `{self.path}` is a folder, but a file was expected; name a file"
            )
        if not path.exists():
            return None
        arrays, facts = self._opened(path)
        if facts["format"] != FORMAT:
            raise self._refused(
                f"is of format {facts['format']}, but this version of thalweg reads format {FORMAT}"
            )
        method = _today(facts["method"])
        if method != self.method:
            raise self._refused(f"is of the method {method}, but {self.method} was asked")
        if facts["parameters"] != self._layout:
            raise self._refused("is of parameters of another layout")
        loop = [value for name, value in sorted(arrays.items()) if name.startswith("loop.")]
        detail, earlier = facts.get("notes", ("", None))
        return Saved(
            loop=loop,
            history={
                name.removeprefix("history."): value
                for name, value in arrays.items()
                if name.startswith("history.")
            },
            best_theta=arrays["best_theta"],
            best_loss=float.fromhex(facts["best_loss"]),
            stage=facts["stage"],
            seconds=facts["seconds"],
            compile_seconds=facts["compile_seconds"],
            notes=Notes(detail, None if earlier is None else Earlier(*earlier)),
        )

    def refuse_other_loop(self, saved: Saved, *, like: list[Any]) -> None:
        """Compare what the file holds with what the loop carries, leaf by leaf.

        Raises:
            ConfigError: They differ in shape or dtype.
        """
        found = [(a.shape, a.dtype) for a in saved.loop]
        if found != [(np.shape(a), np.asarray(a).dtype) for a in like]:
            raise self._refused("is of another problem, or of another version of thalweg")

    def refuse_other_problem(self, *, found: float, expected: float, start: float) -> None:
        """Compare the loss at the best point with what the file says of it.

        Raises:
            ConfigError: They differ by more than rounding, so the problem is another.
        """
        eps = float(np.finfo(self.spec.dtype).eps)
        if not abs(found - expected) <= eps**0.5 * abs(expected) + 100 * eps * abs(start):
            raise self._refused(
                f"is of another problem: the loss at its best point is {found:.6g}, but "
                f"{expected:.6g} was noted"
            )

    @property
    def _layout(self) -> list[Any]:
        names, shapes = self.spec.names, self.spec.shapes
        return [str(self.spec.dtype), [[n, list(s)] for n, s in zip(names, shapes, strict=True)]]

    def _opened(self, path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
                text, digest = file.metadata()[KEY], file.metadata()[DIGEST]
        except OSError as error:
            raise self._unreadable(error.strerror or str(error)) from error
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise self._refused("is damaged, or no checkpoint") from error
        if _digest(text, arrays) != digest:
            raise self._refused("is damaged")
        return arrays, json.loads(text)

    def _unreadable(self, reason: str) -> ConfigError:
        return ConfigError(f"the checkpoint `{self.path}` could not be read ({reason})")

    def _refused(self, why: str) -> ConfigError:
        return ConfigError(
            f"the checkpoint `{self.path}` {why}; name another file, or remove it to start over"
        )


def _today(method: str) -> str:
    """The text of a method as this version has it; version 0.1 had other names for classes."""
    for old, new in RENAMED.items():
        method = re.sub(rf"\b{old}\(", f"{new}(", method)
    return method


def _named(saved: Saved) -> dict[str, np.ndarray]:
    width = len(str(len(saved.loop)))
    arrays = {f"loop.{k:0{width}}": np.array(a, order="C") for k, a in enumerate(saved.loop)}
    arrays |= {f"history.{name}": values for name, values in saved.history.items()}
    return arrays | {"best_theta": np.array(saved.best_theta, order="C")}


def _digest(text: str, arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
