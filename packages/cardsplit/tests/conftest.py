"""Lets the tests of this folder share what makes cards, and find the corpora."""

import os
import sys
from pathlib import Path

import pytest

# Tests are imported by path, so a module that several of them use is found only from here.
sys.path.insert(0, str(Path(__file__).parent))


def _corpora() -> Path | None:
    """The folder `shared/corpora/vcards` beside the checkout or further up, if there is one."""
    if given := os.environ.get("CARDSPLIT_CORPORA"):
        return Path(given)
    places = [parent / "shared/corpora/vcards" for parent in Path(__file__).resolve().parents]
    return next((place for place in places if place.is_dir()), None)


def pytest_generate_tests(metafunc: pytest.Metafunc):
    """Run a test that asks for `corpus_file` once for each real vCard file."""
    if "corpus_file" in metafunc.fixturenames:
        folder = _corpora()
        files = sorted(folder.rglob("*.vcf")) if folder else []
        absent = pytest.param(
            None, marks=pytest.mark.skip("no folder shared/corpora/vcards; set CARDSPLIT_CORPORA")
        )
        metafunc.parametrize("corpus_file", files or [absent], ids=lambda path: path and path.name)


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of real vCard files; a test that needs all of it is skipped without it."""
    folder = _corpora()
    if folder is None:
        pytest.skip("no folder shared/corpora/vcards; set CARDSPLIT_CORPORA")
    return folder


@pytest.fixture
def long_mode() -> None:
    """Skip a test that takes minutes, unless CARDSPLIT_LONG is set."""
    if not os.environ.get("CARDSPLIT_LONG"):
        pytest.skip("takes minutes; set CARDSPLIT_LONG=1")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
