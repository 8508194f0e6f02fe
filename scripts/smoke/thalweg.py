"""thalweg as it was installed, without extras: a fit in Python, by the command, and the doctor."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw

assert tw.__version__ == sys.argv[1]
jax.config.update("jax_enable_x64", True)


def residual(params, x, y):
    return params["height"] * jnp.exp(-params["rate"] * x) - y


x = np.linspace(0.0, 4.0, 50)
y = 3.0 * np.exp(-0.7 * x)
solution = tw.minimize(
    tw.LeastSquares(residual, data=(x, y)),
    {"height": 1.0, "rate": 1.0},
    stop=tw.Stop(loss=1e-12, steps=100),
)
assert np.isclose(solution.params["rate"], 0.7, rtol=1e-4)

command = Path(sys.prefix, "bin/thalweg")
np.savetxt("decay.csv", np.column_stack([x, y]), delimiter=",", header="x,y", comments="")
done = subprocess.run(
    [command, "fit", "decay.csv", "a*exp(-b*x)", "--json"],
    check=True,
    capture_output=True,
    text=True,
)
assert '"b"' in done.stdout
json.loads(done.stdout)
subprocess.run([command, "doctor"], check=True, capture_output=True)
# A command of the laboratory, which is not here, says in one sentence how to get it.
absent = subprocess.run([command, "demo"], check=False, capture_output=True, text=True)
assert absent.returncode == 1
assert "thalweg-lab" in absent.stderr
assert Path(sys.prefix, "share/man/man1/thalweg.1").is_file()
