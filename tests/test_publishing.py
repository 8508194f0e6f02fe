"""What is published can be: pages that stand alone, dated changelogs, addresses in one place."""

import datetime as dt
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = "addresses"
PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
KNOWN = {
    "repository": "https://example.org/someone/thalweg",
    "documentation": "https://docs.example.org",
    "contact": "security@example.org",
}
LINK = re.compile(r"\]\(([^)\s]+)\)")

each_package = pytest.mark.parametrize("folder", PACKAGES, ids=lambda folder: folder.name)


def project_of(folder: Path) -> dict:
    """`[project]` of a package."""
    return tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]


@each_package
def test_a_page_on_the_index_stands_alone(folder: Path):
    """It has the command that installs it, an example, and no link that is relative."""
    text = (folder / "README.md").read_text("utf-8")
    assert [link for link in LINK.findall(text) if not link.startswith("https://")] == []
    assert "<img" not in text
    assert re.search(rf"pip install '?{folder.name}\b", text)
    assert "```python\n" in text


@each_package
def test_the_newest_version_of_a_changelog_has_a_date(folder: Path):
    """It is the package's version, and the date is not in the future of the change after it."""
    text = (folder / "CHANGELOG.md").read_text("utf-8")
    version, date = re.findall(r"^## (\S+) \((\d{4}-\d\d-\d\d)\)$", text, re.MULTILINE)[0]
    assert version == project_of(folder)["version"]
    assert dt.date.fromisoformat(date).isoformat() == date
    assert text.index(f"## {version}") == text.index("\n## ") + 1


def test_all_packages_have_one_version():
    """One tag publishes all; the laboratory needs the library of its own version."""
    assert len({project_of(folder)["version"] for folder in PACKAGES}) == 1
    laboratory = project_of(ROOT / "packages/thalweg-lab")
    assert f"thalweg=={laboratory['version']}" in laboratory["dependencies"]


def test_the_citation_is_of_this_version():
    """CITATION.cff has the version and the date of the library's changelog."""
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    changelog = (ROOT / "packages/thalweg/CHANGELOG.md").read_text("utf-8")
    version, date = re.findall(r"^## (\S+) \((.*)\)$", changelog, re.MULTILINE)[0]
    assert f"\nversion: {version}\n" in text
    assert f'\ndate-released: "{date}"\n' in text


def test_addresses_are_where_they_are_published(script):
    """After a change of addresses.toml, `make addresses` writes them again."""
    stale = [
        str(path.relative_to(ROOT))
        for path, text in script.files(script.known()).items()
        if path.read_text("utf-8") != text
    ]
    assert stale == []


def test_addresses_that_become_known_reach_every_page(script):
    """Each package's metadata and page, the citation and the report of a vulnerability."""
    made = {str(path.relative_to(ROOT)): text for path, text in script.files(KNOWN).items()}
    for folder in PACKAGES:
        urls = tomllib.loads(made[f"packages/{folder.name}/pyproject.toml"])["project"]["urls"]
        assert sorted(urls) == ["Changelog", "Documentation", "Issues", "Source"]
        assert urls["Changelog"].endswith(f"/packages/{folder.name}/CHANGELOG.md")
        page = made[f"packages/{folder.name}/README.md"]
        assert f"[Documentation]({KNOWN['documentation']})" in page
        pictures = re.findall(r"!\[[^]]+\]\((\S+)\)", page)
        for picture in pictures:
            version = project_of(folder)["version"]
            assert (ROOT / picture.removeprefix(f"{KNOWN['repository']}/raw/v{version}/")).is_file()
    assert f'repository-code: "{KNOWN["repository"]}"' in made["CITATION.cff"]
    assert KNOWN["contact"] in made["SECURITY.md"]


@pytest.mark.parametrize("repository", ["http://example.org/a", "https://example.org/a/", "a/b"])
def test_an_address_that_would_not_work_is_refused(script, tmp_path, monkeypatch, repository):
    """A link is https, and has no slash at its end."""
    lines = [f'{key} = "{value}"' for key, value in {**KNOWN, "repository": repository}.items()]
    (tmp_path / "addresses.toml").write_text("\n".join(lines), "utf-8")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    with pytest.raises(ValueError, match=r"`repository` of addresses\.toml"):
        script.known()
