"""Trackers of experiments, to be passed as `on_rows` to `thalweg.minimize`.

Each is an extra: `thalweg[tensorboard]`, `thalweg[mlflow]`, `thalweg[wandb]`.
"""

from __future__ import annotations

from thalweg.trackers.mlflow_run import MLflow
from thalweg.trackers.tensorboard import TensorBoard
from thalweg.trackers.wandb_run import WandB

__all__ = ["MLflow", "TensorBoard", "WandB"]
