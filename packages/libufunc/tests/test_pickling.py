"""Ufuncs travel by their recipe to other processes, and NumPy's own travel as ever."""

# ruff: noqa: S301 - what is read here has been written here

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

from libufunc import Library, ccall
from libufunc.building import recipe_of

M = Library("m")
READ = """if True:
    import pickle, sys
    import numpy as np
    functions = pickle.load(sys.stdin.buffer)
    print([repr(f(*[0.5] * f.nin)) for f in functions])
"""


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_and_read_again_is_the_same_object(protocol: int):
    """In one process; for single functions, families, and those with compiled loops."""
    for ufunc in (
        ccall("double erf(double)", "m"),
        ccall("double frexp(double, int *)", "m"),
        M.erf.ufunc,
        M.erf[np.float16],
    ):
        assert pickle.loads(pickle.dumps(ufunc, protocol)) is ufunc
        assert copy.copy(ufunc) is copy.deepcopy(ufunc) is ufunc


def test_another_process_makes_them_anew():
    """One that has not imported libufunc before."""
    functions = [ccall("double erf(double)", "m"), M.hypot.ufunc, M.frexp, np.sin]
    done = subprocess.run(
        [sys.executable, "-c", READ], input=pickle.dumps(functions), capture_output=True, check=True
    )
    expected = [repr(f(*[0.5] * f.nin)) for f in functions]
    assert done.stdout.decode().strip() == repr(expected)


def test_functions_and_libraries_are_pickled_too(shared_library):
    """With the header that declares them."""
    library = Library(
        shared_library("double two(double x) { return 2; }"), header="double two(double);"
    )
    again = pickle.loads(pickle.dumps(library))
    assert again.two(0.0) == 2
    assert pickle.loads(pickle.dumps(M.erf))(0.5) == M.erf(0.5)
    assert pickle.loads(pickle.dumps(library.two)).ufunc is library.two.ufunc


def test_other_ufuncs_are_pickled_as_before():
    """The same bytes as in a process without libufunc, for every ufunc of NumPy and SciPy."""
    script = """if True:
        import hashlib, pickle, sys
        import numpy as np, scipy.special
        if sys.argv[1] == "with":
            import libufunc
            libufunc.ccall("double erf(double)", "m")
        found = [f for m in (np, scipy.special) for n, f in sorted(vars(m).items())
                 if isinstance(f, np.ufunc)]
        assert all(pickle.loads(pickle.dumps(f)) is f for f in found)
        text = b"".join(map(pickle.dumps, found))
        print(len(found), hashlib.sha256(text).hexdigest())
    """
    said = [
        subprocess.run(
            [sys.executable, "-c", script, how], capture_output=True, text=True, check=True
        ).stdout
        for how in ("with", "without")
    ]
    assert said[0] == said[1]
    assert int(said[0].split()[0]) > 200


# Pickle looks for the function's name in every module that is loaded, old ones of mpmath's as well.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_foreign_ufunc_has_no_recipe():
    """And one that cannot be pickled still cannot: nothing is hidden."""
    assert recipe_of(np.sin) is None
    assert recipe_of(M.erf.ufunc).prototypes[0] == "double erf(double)"
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(np.frompyfunc(lambda x: x, 1, 1))
