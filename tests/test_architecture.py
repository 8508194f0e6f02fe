"""The shape of the source: file length, direction of imports, public names, licences."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAX_LINES = 400
PACKAGES = sorted(path.parent.name for path in ROOT.glob("packages/*/pyproject.toml"))

# Data flows one way. A module imports only from lines above its own: never from below, and never
# from a neighbour. A folder without lines of its own counts as one; inside it imports are free.
LAYERS = {
    "thalweg": (
        ("errors",),
        ("_describe",),
        ("compilation_cache", "networks", "solution", "stop"),
        ("_rows",),
        ("problem", "_recorder", "_util"),
        ("flow",),
        ("solvers.base",),
        ("solvers.dense", "solvers.step_control"),
        ("solvers.adapters", "solvers.integrators"),
        ("solvers.auto", "optax"),
        ("solvers.__init__",),
        ("_run",),
        ("_minimize", "early_stopping"),
        ("_argmin",),
        ("fitting",),
        (
            "__init__",
        ),  # what `import thalweg` offers; above it stands the library, below it its users
        ("analysis", "report"),
        ("pde", "supervised"),
        ("sklearn", "tabular", "torch", "trackers"),
        ("cli",),
        ("__main__",),
    ),
    "thalweg_lab": (
        ("__init__",),
        ("fits", "peers", "problems"),
        ("pde",),
        ("study",),
        ("bench",),
        ("pages",),
        ("demo",),
        ("cli",),
    ),
}
UNITS = {
    f"{package}.{name}": number
    for package, layers in LAYERS.items()
    for number, names in enumerate(layers)
    for name in names
}

# What is imported only where it is used, so that what needs none of it stays quick.
HEAVY = (
    "jax",
    "jinja2",
    "matplotlib",
    "optax",
    "polars",
    "rich",
    "scipy.integrate",
    "scipy.optimize",
    "sklearn",
    "typer",
)


def project_files() -> list[Path]:
    """Every file of the project itself, without environments, caches and what builds make."""
    folders = [
        ROOT / name for name in (".ci", "benchmarks", "docs", "packages", "scripts", "tests")
    ]
    paths = [*ROOT.iterdir(), *(path for folder in folders for path in folder.rglob("*"))]
    made = {".git", "__pycache__", "_build", "_generated"}  # `.git` is a file in a worktree
    return [p for p in paths if p.is_file() and made.isdisjoint(p.relative_to(ROOT).parts)]


def modules_of(package: str) -> list[Path]:
    """The source files of one package."""
    return sorted((ROOT / "packages" / package / "src").rglob("*.py"))


def imports_of(module: Path) -> Iterator[str]:
    """Full names of what a module imports, also inside functions; `from a import b` gives `a.b`."""
    package = module.relative_to(next(p for p in module.parents if p.name == "src")).parts[:-1]
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def unit_of(full_name: str) -> str | None:
    """`thalweg.solvers.integrators` for `thalweg.solvers.integrators.bdf.BDF`; None outside.

    What a package itself offers, such as `thalweg.Stop`, belongs to its `__init__`.
    """
    parts = full_name.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        if prefix in UNITS:
            return prefix
        if f"{prefix}.__init__" in UNITS:
            return f"{prefix}.__init__"
    return None


def name_of(module: Path) -> str:
    """`thalweg.solvers.auto` for its file, `thalweg.solvers.__init__` for that of the folder."""
    source = next(p for p in module.parents if p.name == "src")
    return ".".join(module.relative_to(source).with_suffix("").parts)


def test_no_source_file_is_longer_than_400_lines():
    """A longer file has more than one subject."""
    python = [path for path in project_files() if path.suffix == ".py"]
    lengths = {str(p.relative_to(ROOT)): len(p.read_text("utf-8").splitlines()) for p in python}
    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


@pytest.mark.parametrize("name", LAYERS)
def test_every_module_has_its_layer(name: str):
    """A new module is put in LAYERS on purpose, and no layer names a module that is gone."""
    units = {unit_of(name_of(module)) for module in modules_of(name.replace("_", "-"))}
    assert units == {unit for unit in UNITS if unit.startswith(f"{name}.")}


@pytest.mark.parametrize("name", LAYERS)
def test_imports_point_one_way(name: str):
    """A module imports from layers above its own, and from its own folder."""
    against = []
    for module in modules_of(name.replace("_", "-")):
        own = name_of(module)
        for imported in imports_of(module):
            unit, mine = unit_of(imported), unit_of(own)
            if unit is None or mine is None or not unit.startswith(f"{name}.") or unit == mine:
                continue
            if UNITS[unit] >= UNITS[mine]:
                against.append(f"{own} imports {imported}")
    assert against == []


def test_the_library_does_not_know_its_laboratory():
    """Thalweg installs and works without thalweg-lab, which is written against it."""
    imported = {name.partition(".")[0] for m in modules_of("thalweg") for name in imports_of(m)}
    assert "thalweg_lab" not in imported


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_do_not_import_each_other(package: str):
    """Each package installs and works without the others; the laboratory needs what it tries."""
    others = {name.replace("-", "_") for name in set(PACKAGES) - {package}}
    if package == "thalweg-lab":
        others -= {"thalweg"}
    imported = {name.partition(".")[0] for m in modules_of(package) for name in imports_of(m)}
    assert imported & others == set()


@pytest.mark.parametrize("name", ["thalweg", "thalweg.cli"])
def test_what_only_describes_loads_no_heavy_library(name: str):
    """`import thalweg` and `thalweg --help` wait for no heavy library, JAX among them."""
    script = f"import sys, {name}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert name in loaded
    assert loaded & (set(HEAVY) - ({"typer"} if name == "thalweg.cli" else set())) == set()


def test_using_thalweg_loads_no_library_that_it_does_not_use():
    """Training by an own method costs little beyond JAX: other libraries stay on disk.

    JAX itself loads some parts of SciPy; what it loads on its own does not count.
    """
    script = """if True:
        import sys, jax.numpy
        before = set(sys.modules)
        import thalweg
        thalweg.minimize, thalweg.LeastSquares, thalweg.ImplicitGeodesic
        print(*set(sys.modules) - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "thalweg.solvers.integrators.geodesic" in loaded
    assert loaded & set(HEAVY) == set()


def test_every_public_name_has_its_home():
    """The names that are imported when asked for are those of `__all__`, and are found."""
    import thalweg

    assert sorted(thalweg._HOME) == sorted(thalweg.__all__)  # noqa: SLF001 - two lists of the same
    assert all(getattr(thalweg, name) is not None for name in thalweg.__all__)
    assert callable(thalweg.minimize)
    assert set(thalweg.__all__) <= set(dir(thalweg))
    with pytest.raises(AttributeError, match="minimise"):
        _ = thalweg.minimise


def test_public_names_are_the_documented_ones():
    """`thalweg.__all__` and docs/api.md list the same names, each of which exists."""
    import thalweg

    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    directive = r"^\.\. auto(?:function|class|exception|data)::\s+thalweg\.(\w+)$"
    documented = re.findall(directive, page, re.MULTILINE)
    assert sorted(documented) == sorted(set(thalweg.__all__) - {"__version__"})
    assert all(hasattr(thalweg, name) for name in documented)


def test_no_file_names_a_place_on_one_machine():
    """A path that exists on its author's machine alone helps nobody else."""
    place = re.compile(
        rb"(?<![\w.])/(?:home|Users|root|work|tmp|var/tmp)/[A-Za-z.]|"
        + re.escape(str(ROOT).encode())
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in project_files()
        if path != Path(__file__)
        for number, line in enumerate(path.read_bytes().splitlines(), 1)
        if place.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_one_version(package: str):
    """What the import tells is what pyproject.toml says; the changelog knows that version."""
    folder = ROOT / "packages" / package
    stated = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert importlib.import_module(package.replace("-", "_")).__version__ == stated
    assert f"## {stated}" in (folder / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_ships_the_licence_a_changelog_and_its_types(package: str):
    """A distribution carries the root's licence, a changelog and the py.typed marker."""
    folder = ROOT / "packages" / package
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (folder / "CHANGELOG.md").is_file()
    assert (folder / "src" / package.replace("-", "_") / "py.typed").is_file()
