"""The command `cardsplit`, and `python -m cardsplit`, which does the same."""

import sys


def main() -> None:
    """Run the command. Ctrl-C while it is being loaded ends it as quietly as later."""
    try:
        from cardsplit.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("cardsplit: interrupted by SIGINT; no file is half written\n")
        sys.exit(130)  # as `cardsplit.process` has it, which may not have been loaded


if __name__ == "__main__":
    main()
