"""Trackers write the rows of a run where their own tools find them."""

import importlib.util
import struct

import numpy as np
import pytest

import thalweg as tw
from thalweg import networks
from thalweg._rows import Rows
from thalweg.errors import ConfigError, MissingExtraError
from thalweg.solution import HISTORY_COLUMNS
from thalweg.trackers import MLflow, TensorBoard, WandB
from thalweg.trackers.thinned import COLUMNS, Thinned

X = np.linspace(-1.0, 1.0, 20)[:, None]
Y = np.sin(3 * X)
FIT = tw.LeastSquares(lambda layers, x, y: networks.apply(layers, x) - y, data=(X, Y))


def fitted(tracker):
    """A short run with a tracker."""
    start = networks.init((1, 5, 1), seed=0)
    return tw.minimize(FIT, start, stop=tw.Stop(steps=80), on_rows=tracker)


def check(written, history):
    """Pairs of step and loss are rows of the history, the first and the last among them."""
    assert written
    assert written == sorted(written)
    assert all(history["loss"][step] == loss for step, loss in written)
    assert written[0][0] == 0
    assert written[-1][0] == history["step"][-1]


def test_tensorboard_finds_the_rows(tmp_path):
    """In the event file, by TensorBoard's own format."""
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    from tensorboardX.proto.event_pb2 import Event

    solution = fitted(TensorBoard(tmp_path))
    (path,) = tmp_path.glob("events.*")
    data, written, names = path.read_bytes(), [], set()
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + length])
        data = data[16 + length :]
        for value in event.summary.value:
            names.add(value.tag)
            if value.tag == "thalweg/loss":
                written.append((event.step, value.simple_value))
    assert names <= {f"thalweg/{name}" for name in COLUMNS}
    assert {"thalweg/grad_norm", "thalweg/gradients"} <= names
    losses = solution.history["loss"].astype(np.float32)  # which is what TensorBoard keeps
    check(written, {**solution.history, "loss": losses})


def test_mlflow_finds_the_rows(tmp_path, monkeypatch):
    """In a store of its own, in a folder."""
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed: thalweg[mlflow]")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client = mlflow.MlflowClient((tmp_path / "store").as_uri())
    run = client.create_run(client.create_experiment("fits"))
    solution = fitted(MLflow(run.info.run_id, client))
    metrics = client.get_metric_history(run.info.run_id, "thalweg/loss")
    check([(metric.step, metric.value) for metric in metrics], solution.history)


def records(data):
    """The records of a file of Weights & Biases, which is a log of LevelDB after seven bytes."""
    block, place, joined = 32768, 7, b""
    while place + 7 < len(data):
        if block - place % block < 7:
            place += block - place % block  # no header begins in the rest of a block
        length, kind = struct.unpack("<HB", data[place + 4 : place + 7])
        joined += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield joined
            joined = b""


def test_weights_and_biases_finds_the_rows(tmp_path, monkeypatch):
    """In the file of an offline run."""
    wandb = pytest.importorskip("wandb", reason="wandb is not installed: thalweg[wandb]")
    from wandb.proto import wandb_internal_pb2

    monkeypatch.setenv("WANDB_SILENT", "true")
    with wandb.init(mode="offline", dir=tmp_path, project="fits"):
        solution = fitted(WandB())
    (path,) = tmp_path.rglob("*.wandb")
    written = []
    for data in records(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        items = {
            item.key or "/".join(item.nested_key): item.value_json for item in record.history.item
        }
        if "thalweg/loss" in items:
            written.append((int(float(items["thalweg/step"])), float(items["thalweg/loss"])))
    check(written, solution.history)


def test_weights_and_biases_wants_a_run():
    """One sentence says how to begin one."""
    pytest.importorskip("wandb", reason="wandb is not installed: thalweg[wandb]")
    with pytest.raises(ConfigError, match=r"wandb\.init"):
        WandB()


@pytest.mark.parametrize(
    ("module", "extra", "make"),
    [
        ("tensorboardX", "tensorboard", lambda: TensorBoard("logs")),
        ("mlflow", "mlflow", MLflow),
        ("wandb", "wandb", WandB),
    ],
    ids=["tensorboard", "mlflow", "wandb"],
)
def test_a_library_that_is_missing_names_its_extra(module, extra, make):
    """As all optional parts do."""
    if importlib.util.find_spec(module) is not None:
        pytest.skip(f"{module} is installed")
    with pytest.raises(MissingExtraError, match=rf"thalweg\[{extra}\]"):
        make()


def batch(seconds, first, *, is_last=False):
    """Rows at given times."""
    columns = {name: np.zeros(len(seconds)) for name in HISTORY_COLUMNS}
    columns["seconds"] = np.asarray(seconds)
    columns["step"] = np.arange(first, first + len(seconds))
    columns["grad_norm"] = np.full(len(seconds), np.nan)
    return Rows(columns.__getitem__, start=0, is_last=is_last, params=dict)


def test_rows_are_thinned():
    """Of 100,000 rows in 20 seconds some hundred are written; values that are unknown are not."""
    thinned, times = Thinned(), np.linspace(0.0, 20.0, 100_001)
    written = []
    for begin in range(0, len(times), 1000):
        part = times[begin : begin + 1000]
        written += thinned.chosen(batch(part, begin, is_last=begin + 1000 >= len(times)))
    steps = [step for step, _ in written]
    assert steps[0] == 0
    assert steps[-1] == 100_000
    assert sorted(set(steps)) == steps
    at = times[steps]
    assert 50 < len(steps) < 150
    assert np.diff(at).max() <= 0.51
    assert "grad_norm" not in written[0][1]


def test_the_last_row_is_written_also_where_it_came_before_the_end():
    """A run may end without further rows."""
    thinned = Thinned()
    written = [step for step, _ in thinned.chosen(batch([0.0, 1e-5, 2e-5], 0))]
    assert written == [0]
    assert [step for step, _ in thinned.chosen(batch([], 3, is_last=True))] == [2]
