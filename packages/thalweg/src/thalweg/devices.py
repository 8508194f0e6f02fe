"""Where a flow's data lie when a run is divided over several devices.

The examples of the data are split evenly: of each chunk every device holds its own share of the
rows, and θ, a method's memory and every result are the same on all. The programs are those of one
device; XLA partitions them by where their data lie. So residuals, products and Jacobians are
computed by each device for its own rows, and sums over examples become one all-reduce each.

Source: Xu et al. 2021, "GSPMD: General and Scalable Parallelization for ML Computation Graphs",
arXiv 2105.04663.
Decision: docs/decisions/0017-more-than-one-device.md.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, final

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from thalweg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

AXIS = "data"  # the name of the mesh's only axis
ALL = "all"


@final
@dataclasses.dataclass(frozen=True)
class Devices:
    """The devices of a run, in the order of their shares.

    Attributes:
        members: Devices of JAX, each once; of this process alone, or of all processes.
    """

    members: tuple[Any, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.members)

    @property
    def processes(self) -> int:
        """How many processes they belong to."""
        return len({device.process_index for device in self.members})

    @property
    def _mesh(self) -> Mesh:
        return Mesh(np.array(self.members), (AXIS,))

    @property
    def _whole(self) -> NamedSharding:
        return NamedSharding(self._mesh, PartitionSpec())

    def split(self, array: np.ndarray) -> jax.Array:
        """An array `(chunks, length, ...)` of which each device holds its part of each chunk.

        Args:
            array: The same in all processes; its length is a multiple of `count`.
        """
        sharding = NamedSharding(self._mesh, PartitionSpec(None, AXIS))
        return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])

    def everywhere(self, tree: Any) -> Any:
        """A pytree of arrays, the same in all processes, with a copy on each device."""
        sharding = self._whole

        def copied(leaf: Any) -> jax.Array:
            if isinstance(leaf, jax.Array) and leaf.sharding == sharding:
                return leaf
            array = np.asarray(leaf)
            return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])

        return jax.tree.map(copied, tree)

    def rows(self, array: jax.Array) -> jax.Array:
        """Within jit: an array whose first axis, one of `count`, is divided over the devices."""
        sharding = NamedSharding(self._mesh, PartitionSpec(AXIS))
        return jax.lax.with_sharding_constraint(array, sharding)

    def jit(self, function: Callable[..., Any]) -> Any:
        """`jax.jit` of a function whose results every device needs whole."""
        return jax.jit(function, out_shardings=self._whole)


def chosen_devices(devices: Sequence[Any] | str | None) -> Devices | None:
    """What a caller's `devices` mean; None for the one device that JAX takes by itself.

    Args:
        devices: "all" for those of all processes, or devices of JAX.

    Raises:
        ConfigError: They are no devices, none, repeated, or of some processes only.
    """
    if devices is None:
        return None
    if isinstance(devices, str) and devices != ALL:
        raise ConfigError(
            f"`devices` is {devices!r}, but 'all' or devices such as `jax.devices()` were expected"
        )
    try:
        members = tuple(jax.devices() if isinstance(devices, str) else devices)
    except TypeError:
        members = (devices,)
    if not members or not all(isinstance(device, jax.Device) for device in members):
        raise ConfigError(
            f"`devices` is {devices!r}, but 'all' or devices such as `jax.devices()` were expected"
        )
    if len(set(members)) < len(members):
        raise ConfigError("`devices` names a device twice; name each once")
    if len({device.platform for device in members}) > 1:
        raise ConfigError(
            "`devices` are of several kinds, but those of one run work in step; name those of one "
            "kind"
        )
    owners = {device.process_index for device in members}
    if owners not in ({jax.process_index()}, set(range(jax.process_count()))):
        raise ConfigError(
            f"`devices` are of the processes {sorted(owners)} of {jax.process_count()}, but those "
            'of this process or of all were expected; write `devices="all"` for all'
        )
    return Devices(members)
