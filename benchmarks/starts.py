"""What eight starts cost: seconds of one call with `starts=8` beside those of single runs.

    python benchmarks/starts.py

Single runs from the same starts alternate with the call, `--rounds` times, and their medians are
compared. A ratio of 8 means that one call gains nothing. Compilation is not counted.
"""

import argparse
import statistics
import time

import jax

import thalweg as tw
from thalweg._util.machine import this_machine
from thalweg_lab import problems

STARTS = 8
STEPS = {"sine": 100, "iris": 60, "parity3": 60, "bessel": 60, "digits": 60}


def measure(name: str, steps: int, rounds: int) -> tuple[int, float, float]:
    """The weights of a problem, and the median seconds of a single run and of one call."""
    case = problems.load(name)
    stop = tw.Stop(steps=steps)

    def alone(seed: int) -> float:
        began = time.perf_counter()
        tw.minimize(case.problem, case.start(seed), stop=stop)
        return time.perf_counter() - began

    def together() -> float:
        began = time.perf_counter()
        tw.minimize(case.problem, case.start, stop=stop, starts=STARTS)
        return time.perf_counter() - began

    together()  # compiles
    single, call = [], []
    for _ in range(rounds):
        single += [sum(alone(seed) for seed in range(STARTS)) / STARTS]
        call += [together()]
    return case.size, statistics.median(single), statistics.median(call)


def main() -> None:
    """Print the table as Markdown."""
    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as JAX has it
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often each is timed")
    rounds = parser.parse_args().rounds
    machine = this_machine()
    print(machine)
    print("| problem | weights | steps | a run, ms | 8 starts, ms | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, steps in STEPS.items():
        size, single, call = measure(name, steps, rounds)
        print(
            f"| {name} | {size} | {steps} | {1e3 * single:.0f} | {1e3 * call:.0f} "
            f"| {call / single:.1f} |"
        )


if __name__ == "__main__":
    main()
