"""Rare classes: which class to predict from probabilities, so that the rare ones are found.

Where 5 of 100 rows are of a class, its probability seldom exceeds one half, and the most probable
class is never the rare one. So where a class is rare, the class with the largest

    log p(class) - α log share(class)

is predicted. α = 0 is the most probable class; α = 1 weighs all classes equally. The validation
part chooses α, by the balanced accuracy of the network before its last fit. Probabilities stay as
they are.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from thalweg.tabular.scores import balanced_accuracy

if TYPE_CHECKING:
    from thalweg.tabular.target import ClassTarget

RARE = 0.4  # a class is rare if its share is below this, relative to equal shares
EXPONENTS = (0.0, 0.25, 0.5, 0.75, 1.0)  # α, in the order of preference where several are equal


def with_shifts(
    target: ClassTarget, known: np.ndarray, validation: np.ndarray, outputs: np.ndarray
) -> tuple[ClassTarget, str]:
    """The target with the shifts that find its rare classes, and a sentence on them.

    Args:
        target: The target.
        known: The indices of the classes of all rows of the training and the validation part.
        validation: Those of the validation part.
        outputs: The network's outputs there, shape `(rows, classes)`.

    Returns:
        The same target and no sentence, where no class is rare or the most probable class is best.
    """
    shares = np.bincount(known, minlength=target.outputs) / len(known)
    rarest = int(shares.argmin())
    if shares[rarest] * target.outputs >= RARE:
        return target, ""
    # A class that only the test part has gets no advantage.
    logs = np.log(np.maximum(shares, 1 / len(known)))
    tried = [dataclasses.replace(target, shifts=tuple((-a * logs).tolist())) for a in EXPONENTS]
    found = [balanced_accuracy(validation, each.choose(outputs)) for each in tried]
    best = int(np.argmax(found))
    rare = f"`{target.name}` is `{target.classes[rarest]}` in only {shares[rarest]:.1%} of the rows"
    if best == 0:
        return target, f"{rare}; the most probable class is predicted all the same"
    return tried[best], (
        f"{rare}, so rare classes are predicted from a lower probability on, chosen on the "
        f"validation part: balanced accuracy there {found[best]:.3f}, with the most probable "
        f"class {found[0]:.3f}"
    )
