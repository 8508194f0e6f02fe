"""Solve the differential equations of `thalweg_lab.pde` and make their table.

    python benchmarks/pde.py --write                 # all that have no record yet, then the table
    python benchmarks/pde.py --only burgers --write  # this one again

Each run leaves a record in docs/benchmark/pde, so an interrupted call goes on where it ended.
"""

import argparse
from pathlib import Path

from thalweg_lab import pde
from thalweg_lab.pde import records

FOLDER = Path(__file__).parents[1] / "docs" / "benchmark" / "pde"


def main() -> None:
    """Run what is missing, and print or write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=pde.names(), action="append", help="repeatable")
    parser.add_argument("--seconds", type=float, help="in place of each script's own budget")
    parser.add_argument("--write", action="store_true", help="write records and table in docs")
    options = parser.parse_args()
    done = {record["name"] for record in records.read(FOLDER)}
    wanted = options.only or [name for name in pde.names() if name not in done]
    changes = {} if options.seconds is None else {"seconds": options.seconds}
    found = []
    for name in wanted:
        record = records.run(name, **changes)
        found.append(record)
        print(
            f"{name}: error {record['error']:.2e} in {record['wall_seconds']:.0f} s. "
            f"{record['verdict']}",
            flush=True,
        )
        if options.write:
            records.write(record, FOLDER)
    if options.write:
        (FOLDER / "table.markdown").write_text(records.table(records.read(FOLDER)))
    else:
        print(records.table(found))


if __name__ == "__main__":
    main()
