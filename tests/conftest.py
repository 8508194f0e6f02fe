"""What the tests of the workspace share: the scripts beside the packages, as modules."""

import importlib
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture(scope="module")
def script(request):
    """The module of the folder `scripts` that a test file names by `SCRIPT`."""
    sys.path.insert(0, str(SCRIPTS))
    yield importlib.import_module(request.module.SCRIPT)
    sys.path.remove(str(SCRIPTS))
