"""Where the library of an extra is missing, thalweg says which extra to install, and works on."""

import functools
import subprocess
import sys

import pytest

# The methods of each extra, what they import, and the library as it is installed.
EXTRAS = {
    "cvode": ("sksundae", "scikit-sundae", ("cvode", "cvode-krylov")),
    "diffrax": ("diffrax", "diffrax", ("kvaerno5", "kvaerno3", "tsit5")),
    "optimistix": ("optimistix", "optimistix", ("optimistix-lm", "optimistix-bfgs")),
}
NAMES = [(extra, name) for extra, (_, _, names) in EXTRAS.items() for name in names]


@functools.cache
def without_extras():
    """What a process that has no extra says: all methods, then a line for each of `NAMES`."""
    script = f"""if True:
        import sys
        for module in {[module for module, _, _ in EXTRAS.values()]}:
            sys.modules[module] = None  # as if it were not installed
        import numpy as np, thalweg as tw
        print(*(method.name for method in tw.methods()))
        problem = tw.LeastSquares(lambda p: p)
        for name in {[name for _, name in NAMES]}:
            try:
                tw.minimize(problem, np.ones(2, np.float32), name)
            except tw.ThalwegError as error:
                print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize(("extra", "name"), NAMES)
def test_one_sentence_names_the_extra(extra, name):
    """A run of a method whose library is missing says what to install, and nothing else."""
    _, library, _ = EXTRAS[extra]
    assert without_extras()[1 + NAMES.index((extra, name))] == (
        f"`{name}` needs the library `{library}`, which is not installed; "
        f"install it with `pip install 'thalweg[{extra}]'`"
    )


def test_the_list_of_methods_is_whole_without_extras():
    """Every method is listed, whether its library is there or not."""
    from thalweg import methods

    assert without_extras()[0].split() == [method.name for method in methods()]
