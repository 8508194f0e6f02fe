"""Parameters as one vector: any pytree goes there and back, and nothing is lost on the way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.flow.flatten import flatten

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
    rows = np.asarray(spec.ravel_rows(bundle))
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
