"""Programs on disk under what they compute: no two that differ may have one name.

That a second process loads them is a test of the cache, as it needs processes.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg.compilation_cache import processor_key
from thalweg.flow import build_flow, on_disk
from thalweg.flow.flatten import flatten

X = np.linspace(-1.0, 1.0, 8)
START = np.array([0.5, 0.5])
SPEC = flatten(START)[1]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder of this kind of processor, as a command sets it up."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    own = tmp_path / "thalweg" / "compiled" / processor_key()
    own.mkdir(parents=True)
    before = jax.config.jax_compilation_cache_dir, jax.config.jax_enable_compilation_cache
    jax.config.update("jax_compilation_cache_dir", str(own))
    jax.config.update("jax_enable_compilation_cache", True)  # noqa: FBT003 - as JAX has it
    yield own
    jax.config.update("jax_compilation_cache_dir", before[0])
    jax.config.update("jax_enable_compilation_cache", before[1])


def line(p, x, y):
    """The residual of a straight line."""
    return p[0] * x + p[1] - y


def identity(problem):
    """What a problem computes, as text."""
    return build_flow(problem, SPEC).identity


def fit(residual=line, x=X):
    """A least-squares problem."""
    return tw.LeastSquares(residual, data=(x, x))


def logistic(z, y):
    """The loss of two classes."""
    return jnp.logaddexp(0.0, z) - y * z


def test_the_same_function_written_twice_has_one_identity():
    """And any data of the same shape."""
    assert identity(fit()) == identity(fit(lambda p, x, y: p[0] * x + p[1] - y, X + 1))


@pytest.mark.parametrize(
    "other",
    [
        fit(lambda p, x, y: p[0] * x + p[1] + y),
        fit(lambda p, x, y: 1.0000000000000002 * p[0] * x + p[1] - y),
        fit(lambda p, x, y: line(p, x, y) * jnp.asarray([1.0, 2.0])),
        fit(x=X[:7]),
        fit(x=X.astype(np.float32)),
        fit() + fit(),
        tw.LeastSquares(lambda p: line(p, X, X)),
        tw.Scalar(lambda p: jnp.mean(line(p, X, X) ** 2) / 2),
        tw.Composite(lambda p, x: p[0] * x + p[1], lambda z, y: (z - y) ** 2 / 2, data=(X, X)),
    ],
    ids=["sign", "digit", "constant", "length", "dtype", "sum", "whole", "scalar", "composite"],
)
def test_what_computes_something_else_has_another_identity(other):
    """Down to the last digit of a constant."""
    assert identity(other) not in {None, identity(fit())}


def test_where_outputs_end_and_the_loss_begins_is_part_of_the_identity():
    """Gauss-Newton products differ where the same loss is divided at another place."""
    one = tw.Composite(lambda p, x: p[0] * x + p[1], logistic, data=(X, X))
    half = tw.Composite(lambda p, x: (p[0] * x + p[1]) * 2, lambda z, y: logistic(z / 2, y), (X, X))
    other = tw.Composite(lambda p, x: (p[0] * x + p[1]) * 2 / 2, logistic, data=(X, X))
    assert len({identity(one), identity(half), identity(other)}) == 3


@jax.custom_jvp
def own_jvp(x):
    """The identity, with a slope of 2."""
    return x


own_jvp.defjvp(lambda primals, tangents: (primals[0], 2 * tangents[0]))


@jax.custom_vjp
def own_vjp(x):
    """The same, backwards."""
    return x


own_vjp.defvjp(lambda x: (x, None), lambda _, cotangent: (2 * cotangent,))


def called_back(x):
    """The identity, by NumPy."""
    return jax.pure_callback(np.asarray, x, x, vmap_method="sequential")


def printed(x):
    """The identity, aloud."""
    jax.debug.print("{}", x)
    return x


@pytest.mark.parametrize(
    "function", [own_jvp, own_vjp, called_back, printed, pytest.param(jax.jit(own_jvp), id="inner")]
)
def test_what_a_trace_does_not_tell_has_no_identity(function):
    """Derivatives by rules of one's own, and callbacks, whose code may change."""
    assert identity(fit(lambda p, x, y: function(line(p, x, y)))) is None
    assert identity(tw.Scalar(lambda p: function(p @ p))) is None
    scalar = tw.Scalar(lambda p: function(p @ p))
    assert identity(scalar + tw.Scalar(lambda p: p @ p)) is None


@pytest.mark.parametrize("function", [jax.nn.relu, jax.nn.silu, jax.nn.softplus, jax.nn.logsumexp])
def test_functions_of_jax_may_bring_their_rules(function):
    """They are told by the version of JAX."""
    assert identity(tw.Scalar(lambda p: function(p @ p))) is not None


def test_without_a_folder_of_ours_there_is_no_identity(tmp_path):
    """Also where JAX keeps programs in a folder of the user's own."""
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    assert identity(fit()) is None


# ------------------------------------------------------------------------------------------- names


def kept(identity, name, function, arguments, **options):
    """The program of a function."""
    return on_disk.load_or_compile(identity, name, function, arguments, jit=jax.jit, **options)


def nothing(_):
    """A program without anything to compute."""
    return 0


def test_a_program_is_kept_and_found(folder):
    """A second call loads what the first compiled; the results are equal."""
    first = kept("a", "double", lambda x: {"twice": 2 * x}, (X,))
    second = kept("a", "double", lambda _: 1 / 0, (X,))
    assert len(list(folder.glob("*-program"))) == 1
    assert np.array_equal(first(X)["twice"], second(X)["twice"])


METHOD = tw.ImplicitGeodesic()


@pytest.mark.parametrize(
    ("identity", "name", "arguments", "options"),
    [
        ("b", "f", (X,), None),
        ("a", "g", (X,), None),
        ("a", ("f", 1), (X,), None),
        ("a", ("f", METHOD), (X,), None),
        ("a", ("f", tw.ImplicitGeodesic(algebra="krylov")), (X,), None),
        ("a", ("f", tw.SecantEuler(then=METHOD)), (X,), None),
        ("a", ("f", tw.SecantEuler(then=METHOD, patience=2)), (X,), None),
        ("a", "f", (X[1:],), None),
        ("a", "f", (X.astype(np.float32),), None),
        ("a", "f", ((X,),), None),
        ("a", "f", (X,), {"xla_cpu_use_fusion_emitters": False}),
    ],
)
def test_each_program_has_a_file_of_its_own(folder, identity, name, arguments, options):
    """By identity, name, settings of methods, shapes, dtypes, structure and compiler options."""
    kept("a", "f", nothing, (X,))
    kept(identity, name, nothing, arguments, options=options)
    assert len(list(folder.glob("*-program"))) == 2


@pytest.mark.parametrize("name", [("f", print), ("f", np.ones(2)), ("f", on_disk)])
def test_a_name_that_is_not_told_by_its_text_is_not_kept(folder, name):
    """Such as a method with a function in it."""
    program = kept("a", name, lambda x: x + 1, (X,))
    assert np.array_equal(program(X), X + 1)
    assert list(folder.glob("*-program")) == []


def test_settings_of_jax_are_part_of_the_name(folder):
    """Also those of this thread alone."""
    kept("a", "f", nothing, (X,))
    with jax.default_matmul_precision("highest"):
        kept("a", "f", nothing, (X,))
    assert len(list(folder.glob("*-program"))) == 2


def test_a_program_that_calls_what_another_process_lacks_is_not_kept(folder):
    """A callback lies in the memory of this process."""
    program = kept("a", "f", called_back, (X,))
    assert np.array_equal(program(X), X)
    assert list(folder.glob("*-program")) == []


def test_a_change_of_the_source_is_seen(folder, monkeypatch):
    """As after an update; the versions of JAX and Python, and the processor, count likewise."""
    text = on_disk._surroundings()  # noqa: SLF001 - what is part of a name
    assert re.match(rf"[0-9a-f]{{64}} Python .*, JAX {re.escape(jax.__version__)}, jaxlib", text)
    kept("a", "f", nothing, (X,))
    monkeypatch.setattr(on_disk, "_surroundings", lambda: "another")
    kept("a", "f", nothing, (X,))
    assert len(list(folder.glob("*-program"))) == 2


def test_a_run_by_loaded_programs_is_the_same(folder):
    """With a method's whole loop loaded instead of traced."""
    found = [tw.minimize(fit(), START) for _ in range(2)]
    assert list(folder.glob("*-program"))
    assert found[0].loss == found[1].loss
    assert np.array_equal(found[0].params, found[1].params)
