"""thalweg-lab as it was installed: a problem in Python, and its commands within `thalweg`."""

import subprocess
import sys
from pathlib import Path

import jax

import thalweg as tw
import thalweg_lab
from thalweg_lab import problems

assert thalweg_lab.__version__ == sys.argv[1]
jax.config.update("jax_enable_x64", True)
xor = problems.load("xor")
solution = tw.minimize(xor.problem, xor.start(0), "auto", tw.Stop(steps=3))
assert solution.loss < solution.history["loss"][0]

command = Path(sys.prefix, "bin/thalweg")
subprocess.run(
    [command, "demo", "--only", "bessel", "--seconds", "0.2", "--out", "demo"],
    check=True,
    capture_output=True,
)
assert "<svg" in Path("demo/report.html").read_text("utf-8")
assert Path(sys.prefix, "share/man/man1/thalweg-lab.1").is_file()
