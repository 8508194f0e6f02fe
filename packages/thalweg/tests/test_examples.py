"""The scripts of docs/clusters.md do what the page says, on this machine."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from command import PATIENCE

EXAMPLES = Path(__file__).parents[1] / "examples"
FIRST_PORT = 65535 - 2**12 + 1  # JAX derives the coordinator's port from the number of the job
ROUNDING = 1e-9  # of sums in another order, after twenty steps


def started(script, *arguments, **variables):
    """A script as a process of its own, with one CPU device where nothing else is said."""
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "1", **variables}
    return subprocess.Popen(
        [sys.executable, EXAMPLES / script, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def printed(process):
    """What it printed, once it has ended well."""
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return out


def loss_of(text):
    """The loss in what an example printed."""
    return float(re.search(r"loss (\S+),", text)[1])


@pytest.fixture(scope="module")
def alone():
    """The loss on one device."""
    return loss_of(printed(started("devices_fit.py")))


def test_several_devices_give_the_loss_of_one(alone):
    """Four simulated devices of one machine."""
    out = printed(started("devices_fit.py", JAX_NUM_CPU_DEVICES="4"))
    assert out.startswith("4 devices")
    assert loss_of(out) == pytest.approx(alone, rel=ROUNDING)


def free_job():
    """The number of a job whose port nobody listens at."""
    for job in range(17, 2**12):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", FIRST_PORT + job)):
                return job
    raise AssertionError("no port is free")


def test_the_processes_of_a_slurm_job_find_each_other(alone, tmp_path):
    """By the variables that SLURM sets for each; the first one prints and keeps the checkpoint."""
    shared = {
        "SLURM_JOB_ID": str(free_job()),
        "SLURM_STEP_NODELIST": "127.0.0.1",
        "SLURM_NTASKS": "2",
        "SLURM_STEP_NUM_NODES": "1",
    }
    pair = [
        started(
            "slurm_fit.py",
            str(tmp_path / "run.safetensors"),
            **shared,
            SLURM_PROCID=str(k),
            SLURM_LOCALID=str(k),
        )
        for k in range(2)
    ]
    try:
        first, second = map(printed, pair)
    finally:
        for process in pair:
            process.kill()
    assert "2 processes, 2 devices" in first  # JAX's transport prints a line of its own
    assert "loss" not in second
    assert loss_of(first) == pytest.approx(alone, rel=ROUNDING)
    assert (tmp_path / "run.safetensors").exists()


def test_the_batch_script_is_one_that_a_shell_reads():
    """SLURM itself is not here."""
    script = EXAMPLES / "slurm_fit.sbatch"
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    assert "srun python slurm_fit.py" in script.read_text()


def test_the_workers_of_dask_share_many_fits():
    """Each of them comes back once, with the height that its data were made with."""
    pytest.importorskip("distributed", reason="Dask is not installed")
    lines = printed(started("dask_fits.py")).splitlines()
    numbers, heights, rates = np.array([line.split()[:3] for line in lines], float).T
    assert np.array_equal(np.sort(numbers), np.arange(40))
    assert heights == pytest.approx(1 + numbers / 10, rel=0.02)
    assert rates == pytest.approx(0.7, rel=0.03)
