"""What somebody may have meant by a name that is not there."""

from collections.abc import Iterable

MOST = 3


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The end of a sentence about a missing name.

    Args:
        name: What was asked for.
        names: What there is.

    Returns:
        Such as "; did you mean `erf` or `erfc`?", or "" where nothing is near. The full stop that
        follows it is the caller's.
    """
    import difflib

    there = list(names)
    near = difflib.get_close_matches(name, there, n=MOST)
    near += [other for other in there if other.lower() == name.lower() and other not in near]
    # C++ writes `f(double)` as `_Z1fd`: the name, after its length.
    mangled = [other for other in there if other.startswith("_Z") and f"{len(name)}{name}" in other]
    near = [*mangled, *near][:MOST]
    if not near:
        return ""
    return f"; did you mean {' or '.join(f'`{one}`' for one in near)}"
