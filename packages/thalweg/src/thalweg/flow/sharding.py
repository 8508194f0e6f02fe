"""How the data of a flow are divided over several devices.

The examples are split evenly: each device holds its own share of the rows of every chunk. θ, the
solver state and all results are the same on all devices. The programs are those of one device; XLA
partitions them by where their data lie. So each device computes residuals, products and Jacobians
for its own rows, and each sum over examples becomes one all-reduce, or one a chunk.

The devices may belong to several processes, each of which makes the same calls in the same order.
What a process decides by its own clock or callback is agreed upon first.

Source: Xu et al. 2021, "GSPMD: General and Scalable Parallelization for ML Computation Graphs",
arXiv 2105.04663.
Decision: docs/decisions/0017-more-than-one-device.md.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
from typing import TYPE_CHECKING, Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from thalweg.errors import ConfigError, DevicesLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

AXIS = "data"  # the name of the mesh's only axis
ALL = "all"

# Codes of failed operations, by which a message of the runtime begins
# (https://abseil.io/docs/cpp/guides/status-codes).
LOSSES = (
    *("ABORTED:", "CANCELLED:", "DATA_LOSS:", "DEADLINE_EXCEEDED:", "FAILED_PRECONDITION:"),
    *("INTERNAL:", "UNAVAILABLE:", "UNKNOWN:"),
)


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
    def process(self) -> int:
        """The index of this process among them; 0 if there is only one."""
        return jax.process_index() if self.processes > 1 else 0

    @property
    def _mesh(self) -> Mesh:
        return Mesh(np.array(self.members), (AXIS,))

    @property
    def _whole(self) -> NamedSharding:
        return NamedSharding(self._mesh, PartitionSpec())

    def split(self, array: np.ndarray) -> jax.Array:
        """An array `(chunks, length, ...)`, each chunk of which is divided over the devices.

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

    # ---------------------------------------------------------------------- several processes

    def agree(self, values: np.ndarray) -> np.ndarray:
        """The minimum over the processes, element by element.

        Args:
            values: An array of the same shape and dtype in each, of at least one element.

        Raises:
            RuntimeError: Or ValueError, by JAX: another process has gone.

        Cost: nothing for one process; for several one all-reduce, which waits for all of them.
        """
        if self.processes == 1:
            return values
        sharding = NamedSharding(self._mesh, PartitionSpec(AXIS))
        shape = (self.count, *values.shape)
        said = jax.make_array_from_callback(shape, sharding, lambda _: values[None])
        return np.asarray(_least_of(self)(said))

    def from_first(self, content: bytes) -> bytes:
        """The content that process 0 passes; that of the others is ignored."""
        if self.processes == 1:
            return content
        # The minimum is that of process 0, as the others pass the largest value there is.
        most = np.iinfo(np.int32).max
        is_first = self.process == 0
        size = int(self.agree(np.array([len(content) if is_first else most], np.int32))[0])
        if size == 0:
            return b""
        mine = np.frombuffer(content, np.uint8) if is_first else np.full(size, 255, np.uint8)
        return self.agree(mine).tobytes()

    def refuse_different(self, **facts: object) -> None:
        """Refuse a call that differs between the processes.

        Args:
            **facts: Arrays, or objects with distinct texts, by name.

        Raises:
            ConfigError: Naming what differs; in all processes.
        """
        if self.processes == 1:
            return
        codes = np.array([_code(fact) for fact in facts.values()], np.int32)
        least = self.agree(np.concatenate([codes, ~codes]))
        differs = least[: len(codes)] != ~least[len(codes) :]
        names = [f"`{name}`" for name, is_other in zip(facts, differs, strict=True) if is_other]
        if names:
            raise ConfigError(
                f"{', '.join(names)} differ between the {self.processes} processes of the run, but "
                "each has to make the same call; give all of them the same"
            )

    @contextlib.contextmanager
    def reporting_losses(self) -> Iterator[None]:
        """Say so where a program fails because another process has gone.

        Raises:
            DevicesLostError: In the place of JAX's error.
        """
        try:
            yield
        except (RuntimeError, ValueError) as error:
            if not self.is_loss(error):
                raise
            reason = str(error).partition("\n")[0]
            raise DevicesLostError(processes=self.processes, reason=reason) from error

    def is_loss(self, error: BaseException) -> bool:
        """Whether an error means that another process has gone.

        Each transport has its own words for it, and JAX raises a RuntimeError where a program is
        called and a ValueError where its result is read. So the code at the beginning of the text
        decides; faults of this process, such as a lack of memory, have another one.
        """
        return self.processes > 1 and str(error).startswith(LOSSES)


def agreed_on(
    devices: Devices | None, number: int, choice: Any, *, among: tuple[Any, ...]
) -> tuple[int, Any]:
    """The smallest number of all processes, and the first choice that any of them made.

    Args:
        devices: Those of the run; None for one device.
        number: Fits 32 bits.
        choice: One of `among`, or None, which gives way to any other process's choice.
        among: What there is to choose from, first to last.

    Cost: that of `Devices.agree`.
    """
    if devices is None or devices.processes == 1:
        return number, choice
    choices = (*among, None)
    said = np.array([number, choices.index(choice)], np.int32)
    number, place = map(int, devices.agree(said))
    return number, choices[place]


@functools.cache
def _least_of(devices: Devices) -> Any:
    """The program of `Devices.agree`, made once."""
    return devices.jit(lambda said: jnp.min(said, axis=0))


def _code(fact: object) -> int:
    """32 bits of a digest."""
    content = fact.tobytes() if isinstance(fact, np.ndarray) else repr(fact).encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:4], "little", signed=True)


def chosen_devices(devices: Sequence[Any] | str | None) -> Devices | None:
    """The devices that a caller means; None for the one that JAX takes by itself.

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
        members: tuple[Any, ...] = tuple(jax.devices() if isinstance(devices, str) else devices)
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
            "`devices` are of several kinds, but those of one run work in step; pass only one kind"
        )
    owners = {device.process_index for device in members}
    if owners not in ({jax.process_index()}, set(range(jax.process_count()))):
        raise ConfigError(
            f"`devices` are of the processes {sorted(owners)} of {jax.process_count()}, but those "
            'of this process or of all were expected; write `devices="all"` for all'
        )
    return Devices(members)
