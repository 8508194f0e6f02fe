"""Ctrl-C during a run: a real signal to a real process, which prints the best it has found."""

import signal
import subprocess
import sys

ENDLESS = """if True:
    import jax
    jax.config.update("jax_enable_x64", True)
    import numpy as np
    import thalweg as tw

    problem = tw.Scalar(lambda p: (p ** 4).sum())
    def told(snapshot):
        if snapshot.step == 1:
            print("running", flush=True)
    tw.minimize(problem, np.ones(3), "gradient-descent", tw.Stop(steps=1), callback=told)
    solution = tw.minimize(problem, np.ones(3), "gradient-descent", tw.Stop(seconds=100))
    print(solution.outcome.name, solution.loss, len(solution.history["loss"]), solution.seconds)
"""


def test_a_signal_ends_a_run_with_the_best_so_far():
    """The loop inside jit comes back often enough, and no traceback is shown."""
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "running\n"
        try:
            child.communicate(timeout=1)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=20)
    outcome, loss, rows, seconds = out.split()
    assert outcome == "INTERRUPTED"
    assert 0 < float(loss) < 3
    assert int(rows) > 100
    assert float(seconds) < 20
    assert err == ""
    assert child.returncode == 0
