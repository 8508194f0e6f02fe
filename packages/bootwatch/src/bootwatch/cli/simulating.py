"""The command `bootwatch simulate`."""

from __future__ import annotations

from typing import Annotated

import typer

from bootwatch.cli.app import app


def _print_faults(wanted: bool) -> None:
    if wanted:
        from bootwatch.simulator.command import list_faults

        list_faults()
        raise typer.Exit


@app.command(epilog="Example: `bootwatch simulate auerswald-form --fault slow-boot --sip`")
def simulate(  # noqa: PLR0913, PLR0917 - each is an option of the command
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="The kind of device.")],
    fault: Annotated[
        list[str] | None, typer.Option("--fault", help="What is wrong; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Makes serial number, cookies and delays.")] = 0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    boot: Annotated[str, typer.Option(help="How long a restart takes.")] = "3s",
    session: Annotated[str, typer.Option(help="How long an idle session lives.")] = "200s",
    sip: Annotated[bool, typer.Option("--sip", help="Answer SIP OPTIONS, too.")] = False,
    bare: Annotated[bool, typer.Option("--bare", help="Know login and restart only.")] = False,
    tls: Annotated[bool, typer.Option("--tls", help="Speak HTTPS.")] = False,
    _faults: Annotated[
        bool,
        typer.Option("--faults", callback=_print_faults, is_eager=True, help="List the faults."),
    ] = False,
) -> None:
    """Be a fake device on loopback, until Ctrl-C. User `admin`, password `SecretPasswd`."""
    from bootwatch.simulator.command import serve

    serve(
        recipe,
        faults=fault or [],
        seed=seed,
        port=port,
        boot=boot,
        session=session,
        sip=sip,
        bare=bare,
        tls=tls,
    )
