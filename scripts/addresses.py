"""Put the addresses of addresses.toml into what is published.

`make addresses` calls this. It writes between the markers `addresses` and `end` of each package's
pyproject.toml and README.md, of CITATION.cff and of SECURITY.md. Where an address is not known yet,
what needs it is left out, so that no page ever carries a link that leads nowhere.

Decision: docs/decisions/0070-one-release-of-five.md
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEYS = ("repository", "documentation", "contact")
MARKED = re.compile(
    r"(?P<open>(?:<!-- |# )addresses(?: -->)?\n).*?(?P<close>^(?:<!-- |# )end(?: -->)?$)",
    re.DOTALL | re.MULTILINE,
)
# A picture that helps whoever sees the package for the first time: path, and its description.
PICTURES = {
    "libufunc": (
        "docs/images/libufunc-accuracy.png",
        "Error of erf and j0 in units of the last place, by library",
    ),
    "thalweg": ("docs/images/result.png", "A function learned by thalweg and by its peers"),
}


def known() -> dict[str, str]:
    """The addresses of addresses.toml.

    Raises:
        ValueError: The file has other keys, or a web address that is not https.
    """
    found = tomllib.loads((ROOT / "addresses.toml").read_text("utf-8"))
    if sorted(found) != sorted(KEYS):
        raise ValueError(f"addresses.toml has the keys {sorted(found)}; write {sorted(KEYS)}")
    for key in ("repository", "documentation"):
        if found[key] and not re.fullmatch(r"https://[^\s/]\S*[^\s/]", found[key]):
            raise ValueError(
                f"`{key}` of addresses.toml is `{found[key]}`; write https://... without a slash "
                "at its end, or nothing"
            )
    return found


def metadata(addresses: dict[str, str], package: str, version: str) -> str:
    """`[project.urls]` of one package."""
    repository, documentation = addresses["repository"], addresses["documentation"]
    urls = {
        "Documentation": documentation,
        "Source": repository,
        "Issues": repository and f"{repository}/issues",
        "Changelog": repository and f"{repository}/blob/v{version}/packages/{package}/CHANGELOG.md",
    }
    lines = [f'{name} = "{url}"' for name, url in urls.items() if url]
    return "\n".join(["[project.urls]", *lines]) + "\n" if lines else ""


def readme(addresses: dict[str, str], package: str, version: str) -> str:
    """The picture and the links of a package's page, whose addresses have to be absolute."""
    repository, documentation = addresses["repository"], addresses["documentation"]
    picture, description = PICTURES.get(package, ("", ""))
    parts = []
    if repository and picture:
        parts += [f"![{description}]({repository}/raw/v{version}/{picture})"]
    links = {"Documentation": documentation, "Source": repository}
    if any(links.values()):
        parts += [" · ".join(f"[{name}]({url})" for name, url in links.items() if url)]
    return "\n" + "\n\n".join(parts) + "\n\n" if parts else ""


def citation(addresses: dict[str, str]) -> str:
    """The addresses of CITATION.cff."""
    lines = {
        "repository-code": addresses["repository"],
        "url": addresses["documentation"] or addresses["repository"],
    }
    return "".join(f'{key}: "{url}"\n' for key, url in lines.items() if url)


def security(addresses: dict[str, str]) -> str:
    """Where a vulnerability is reported."""
    ways = []
    if addresses["repository"]:
        ways += [f"[privately on GitHub]({addresses['repository']}/security/advisories/new)"]
    if addresses["contact"]:
        ways += [f"by e-mail to <{addresses['contact']}>"]
    if not ways:
        return "\nto the maintainers, privately, in the way you received the code.\n\n"
    return "\n" + ", or ".join(ways) + ".\n\n"


def filled(text: str, content: str) -> str:
    """A text with the content between its markers.

    Raises:
        ValueError: The text does not have the two markers once.
    """
    if len(MARKED.findall(text)) != 1:
        raise ValueError("the markers `addresses` and `end` have to stand there once")
    return MARKED.sub(lambda found: found["open"] + content + found["close"], text)


def files(addresses: dict[str, str]) -> dict[Path, str]:
    """Every file with addresses, as it should be."""
    contents = {
        ROOT / "CITATION.cff": citation(addresses),
        ROOT / "SECURITY.md": security(addresses),
    }
    for folder in sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml")):
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
        name, version = project["name"], project["version"]
        contents[folder / "pyproject.toml"] = metadata(addresses, name, version)
        contents[folder / "README.md"] = readme(addresses, name, version)
    return {path: filled(path.read_text("utf-8"), text) for path, text in contents.items()}


def main() -> None:
    """Write the files, and name those that changed and what is not known yet."""
    addresses = known()
    for path, text in files(addresses).items():
        if path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(path.relative_to(ROOT))
    if missing := [key for key, value in addresses.items() if not value]:
        print(f"not known yet: {', '.join(missing)}; write them into addresses.toml")


if __name__ == "__main__":
    main()
