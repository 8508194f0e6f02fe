"""`thalweg methods` and `thalweg doctor`: what there is, and whether it works."""

from __future__ import annotations

import typer

from thalweg.cli.common import AsJson, print_json


def methods(as_json: AsJson = False) -> None:
    """List every method by name, with what it needs.

    Baselines of other libraries are methods too: a comparison is one line.

    Examples:
    - `thalweg methods`
    - `thalweg methods --json`
    """
    from thalweg.cli.tables import print_methods
    from thalweg.solvers import methods as every_method

    known = every_method()
    if as_json:
        print_json([method._asdict() for method in known])
    else:
        print_methods(known)


def doctor(as_json: AsJson = False) -> None:
    """Say what is installed and whether it works, by trying it.

    Looks at libraries, devices, float64 and extras, and solves a small problem. The exit status
    is 1 if something that is needed does not work.

    Examples:
    - `thalweg doctor`
    - `thalweg doctor --json` for a report of a bug
    """
    from thalweg.cli.doctor import diagnose
    from thalweg.cli.tables import print_diagnosis

    diagnosis = diagnose()
    if as_json:
        print_json(diagnosis.as_json())
    else:
        print_diagnosis(diagnosis)
    if not diagnosis.is_sound:
        typer.echo("thalweg: something that is needed does not work; see above", err=True)
        raise typer.Exit(1)
