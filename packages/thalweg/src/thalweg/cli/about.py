"""`thalweg methods` and `thalweg doctor`: what there is, and whether it works."""

from __future__ import annotations

import typer

from thalweg.cli.common import AsJson, print_json


def methods(as_json: AsJson = False) -> None:
    """List every method by name, with what it needs.

    The solvers of other libraries are listed too: they serve as baselines.

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
    """Try whether the installation works, and say what is installed.

    Checks the libraries, the devices and float64, solves a small problem, and lists the optional
    parts with what each is for. The exit status is 1 if something that is needed does not work.

    Examples:
    - `thalweg doctor`
    - `thalweg doctor --json` for a bug report
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
