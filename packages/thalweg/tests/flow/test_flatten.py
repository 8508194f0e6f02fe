"""Parameters as one vector: any pytree goes there and back, and nothing is lost on the way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg.flow.flatten import flatten, ravel_rows

REAL = (np.float32, np.float64)
TREES = {
    "one array": np.arange(6.0).reshape(2, 3),
    "one number": np.asarray(2.5),
    "nested": {"layers": [{"w": np.ones((2, 3)), "b": np.zeros(3)}], "scale": np.asarray(-1.0)},
    "tuple with an empty leaf": (np.arange(4.0), np.zeros((0, 3)), np.asarray([7.0])),
    "with None": {"a": np.arange(2.0), "nothing": None, "b": np.arange(3.0).reshape(3, 1)},
}
each_tree = pytest.mark.parametrize("params", TREES.values(), ids=list(TREES))


def count(params) -> int:
    """The number of entries of a pytree, counted one by one."""
    return sum(1 for leaf in jax.tree.leaves(params) for _ in leaf.flat)


@each_tree
@pytest.mark.parametrize("real", REAL)
def test_a_pytree_comes_back_from_its_vector(params, real):
    """`unravel` undoes `flatten`: same structure, shapes, dtype and every value."""
    params = jax.tree.map(lambda leaf: leaf.astype(real), params)
    theta, spec = flatten(params)
    back = spec.unravel(jnp.asarray(theta))
    assert theta.dtype == spec.dtype == real
    assert jax.tree.structure(back) == jax.tree.structure(params)
    for new, old in zip(jax.tree.leaves(back), jax.tree.leaves(params), strict=True):
        assert new.shape == old.shape
        assert new.dtype == real
        assert (np.asarray(new) == old).all()
    assert (np.asarray(spec.ravel(back)) == theta).all()


@each_tree
def test_the_vector_has_one_entry_for_each_number(params):
    """No number is dropped or doubled: the vector is as long as the pytree has entries."""
    theta, spec = flatten(params)
    assert theta.shape == (spec.size,) == (count(params),)
    assert sorted(theta) == sorted(x for leaf in jax.tree.leaves(params) for x in leaf.flat)


def test_rows_are_laid_out_as_the_vector_is():
    """Row i of `ravel_rows` is the vector of the i-th pytree."""
    _, spec = flatten(TREES["nested"])
    draw = np.random.default_rng(0).normal
    bundle = jax.tree.map(lambda leaf: draw(size=(4, *leaf.shape)), TREES["nested"])
    rows = np.asarray(ravel_rows(jax.tree.leaves(bundle)))
    for i in range(4):
        one = jax.tree.map(lambda leaf, i=i: leaf[i], bundle)
        assert (rows[i] == np.asarray(spec.ravel(one))).all()


@each_tree
def test_a_component_is_named_by_its_leaf(params):
    """`leaf_of` points to the leaf whose mark stands at that place of the vector."""
    marked, names = [], []
    for number, (path, leaf) in enumerate(jax.tree_util.tree_flatten_with_path(params)[0]):
        marked.append(np.full_like(leaf, number))
        names.append("params" + jax.tree_util.keystr(path))
    theta, spec = flatten(jax.tree.unflatten(jax.tree.structure(params), marked))
    assert [spec.leaf_of(i) for i in range(spec.size)] == [names[int(mark)] for mark in theta]
    with pytest.raises(IndexError):
        spec.leaf_of(spec.size)


def test_equal_layouts_are_equal_keys():
    """Compiled programs are kept by layout: equal for equal shapes, other values or not."""
    _, first = flatten({"a": np.zeros(2), "b": np.zeros((2, 2))})
    _, again = flatten({"a": np.ones(2), "b": np.ones((2, 2))})
    _, other = flatten({"a": np.zeros(2), "b": np.zeros(4)})
    _, coarse = flatten({"a": np.zeros(2, np.float32), "b": np.zeros((2, 2), np.float32)})
    assert first == again
    assert hash(first) == hash(again)
    assert len({first, other, coarse}) == 3


class Scaled:
    """A module: it can be called, and holds an array, a function and a number."""

    def __init__(self, weight, activation, power):
        self.weight, self.activation, self.power = weight, activation, power

    def __call__(self, x):
        """Its output."""
        return self.activation(self.weight * x) ** self.power


jax.tree_util.register_pytree_node(
    Scaled,
    lambda module: ((module.weight, module.activation, module.power), None),
    lambda _, leaves: Scaled(*leaves),
)


def test_of_a_module_the_arrays_are_parameters_and_all_else_stays():
    """Also of one inside a pytree, in whatever order its leaves lie."""
    module = Scaled(np.array([1.0, 2.0]), jnp.tanh, 3)
    theta, spec = flatten({"net": module, "shift": 0.5})
    assert theta.tolist() == [1.0, 2.0, 0.5]
    back = spec.unravel(jnp.array([4.0, 5.0, 6.0]))
    assert back["net"].activation is jnp.tanh
    assert back["net"].power == 3
    assert back["net"].weight.tolist() == [4.0, 5.0]
    assert float(back["shift"]) == 6.0
    assert spec.ravel(back).tolist() == [4.0, 5.0, 6.0]
    assert flatten({"net": module, "shift": 0.5})[1] == spec


@pytest.mark.parametrize("method", ["implicit-geodesic", "secant-euler", "l-bfgs"])
def test_an_equinox_module_is_trained_as_it_is(method):
    """Its activation function is a leaf; the module comes back with the trained weights."""
    equinox = pytest.importorskip("equinox")
    module = equinox.nn.MLP(1, 1, 4, 1, activation=jnp.tanh, key=jax.random.PRNGKey(0))
    x = np.linspace(-1, 1, 9)[:, None]
    problem = tw.LeastSquares(lambda net, x, y: net(x) - y, data=(x, np.sin(2 * x)))
    solution = tw.minimize(problem, module, method, tw.Stop(steps=30))
    assert isinstance(solution.params, equinox.nn.MLP)
    trained = jax.vmap(solution.params)(x)
    assert 0.5 * np.mean((trained - np.sin(2 * x)) ** 2) == pytest.approx(solution.loss, rel=1e-9)
    assert solution.loss < 0.1 * solution.history["loss"][0]
