"""Methods that thalweg is measured against and that no library it depends on has.

They run as any method of thalweg does, in a compiled loop, but only the laboratory knows them:

    ss-broyden-jax      self-scaled Broyden with a Wolfe line search
    engd-w              energy natural gradient by Woodbury, with the momentum of SPRING
    soap                Adam in the eigenbasis of Shampoo's preconditioners
    nystrom-newton      Newton's method by Nyström-preconditioned conjugate gradients
    adam-lbfgs-nncg     the same after Adam and L-BFGS
"""

from __future__ import annotations

from thalweg.solvers import REGISTRY

# name -> (module, the class in it), as thalweg's own registry has them
LABORATORY: dict[str, tuple[str, str]] = {
    "ss-broyden-jax": ("thalweg_lab.peers.ss_broyden", "SSBroyden"),
    "engd-w": ("thalweg_lab.peers.engd_w", "EngdW"),
    "soap": ("thalweg_lab.peers.soap", "Soap"),
    "nystrom-newton": ("thalweg_lab.peers.nystrom_newton", "NystromNewton"),
    "adam-lbfgs-nncg": ("thalweg_lab.peers.adam_lbfgs_nncg", "AdamLbfgsNncg"),
}
METHODS: dict[str, tuple[str, str]] = {**REGISTRY, **LABORATORY}
