"""Write the table of twelve modules of PyTorch that docs/pytorch.md shows.

.venv-torch/bin/python benchmarks/torch_modules.py    # after `make test-torch`
"""

from __future__ import annotations

import sys
from pathlib import Path

import jax

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs/benchmark/torch-modules.markdown"


def main() -> None:
    """Measure and write."""
    jax.config.update("jax_enable_x64", val=True)
    sys.path.insert(0, str(ROOT / "packages/thalweg/tests/helpers"))
    import torch  # pyright: ignore[reportMissingImports] - of another environment

    from torch_modules import CASES, difference

    torch.set_num_threads(1)
    difference(CASES["MLP"])  # what PyTorch loads at its first export
    lines = [
        "| module | layers | parameters | difference of loss | of gradient | brought over in |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, case in CASES.items():
        found = difference(case)
        lines.append(
            f"| {name} | {case.layers} | {found['parameters']} | {found['loss']:.0e} | "
            f"{found['gradient']:.0e} | {found['seconds']:.1f} s |"
        )
        print(lines[-1], flush=True)
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
