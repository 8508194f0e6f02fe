"""libufunc as it was installed, with NumPy alone: a function, a library and the command."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np

import libufunc

assert libufunc.__version__ == sys.argv[1]
erf = libufunc.ccall("double erf(double)", "m")
assert isinstance(erf, np.ufunc)
assert np.array_equal(erf([0.0, 0.5]), [0.0, math.erf(0.5)])
assert libufunc.Library("m").hypot(3, 4) == 5

command = Path(sys.prefix, "bin/libufunc")
done = subprocess.run([command, "call", "erf", "0.5"], check=True, capture_output=True, text=True)
assert float(done.stdout) == math.erf(0.5)
assert Path(sys.prefix, "share/man/man1/libufunc.1").is_file()
