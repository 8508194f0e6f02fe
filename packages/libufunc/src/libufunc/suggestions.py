"""What somebody may have meant by a name that is not there."""

from collections.abc import Iterable

MOST = 3


def mangled(name: str) -> str:
    """How C++ writes a name within a symbol: `4area`, or `3geo4area` for `geo::area`."""
    return "".join(f"{len(part)}{part}" for part in name.split("::"))


def did_you_mean(name: str, names: Iterable[str], *, otherwise: str) -> str:
    """The end of a sentence about a missing name.

    Args:
        name: What was asked for.
        names: What there is.
        otherwise: What to do where no name is near.

    Returns:
        Such as "; did you mean `erf` or `erfc`?", or "; check the spelling."
    """
    import difflib

    there = sorted(set(names))
    # C++ writes `f(double)` as `_Z1fd`: the name, after its length.
    cpp = [one for one in there if one[:2] == "_Z" and mangled(name).lower() in one.lower()]
    same = [other for other in there if other.lower() == name.lower()]
    near = difflib.get_close_matches(name, there, n=MOST)
    found = list(dict.fromkeys([*cpp, *same, *near]))[:MOST]
    if not found:
        return f"; {otherwise}."
    return f"; did you mean {' or '.join(f'`{one}`' for one in found)}?"
