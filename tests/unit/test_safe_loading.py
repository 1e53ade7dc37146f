"""No file from anywhere is loaded in a way that could run code: every loader of the tree is one that cannot."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "schemas",
    "synthesis",
    "producers",
    "processors",
    "trainers",
    "tocsin",
    "examples",
    "deploy",
    "docs",
)
UNSAFE_MODULES = {"joblib", "dill", "cloudpickle", "shelve", "marshal", "jsonpickle"}
UNSAFE_CALLS = {
    ("pickle", "load"), ("pickle", "loads"), ("pickle", "Unpickler"), ("pd", "read_pickle"), ("yaml", "load"),
    ("yaml", "load_all"), ("yaml", "unsafe_load"), ("yaml", "full_load"), ("torch", "jit"), ("torch.jit", "load"),
    ("torch.package", "PackageImporter"), ("torch.hub", "load"), ("sys", "setdlopenflags"),
}  # fmt: skip
BUILT_IN = {"eval", "exec", "compile", "__import__"}
# HDF5 is read with plain_array alone, which follows no link.
HDF5 = {"trainers/data/hdf5.py"}


def complaints(text: str, path: str = "") -> Iterator[str]:
    """Calls in a source file that may run code of a file they read."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            for name in names:
                if name.partition(".")[0] in UNSAFE_MODULES:
                    yield f"line {node.lineno}: {name} loads code"
            if isinstance(node, ast.ImportFrom) and node.module in ("pickle", "torch", "numpy", "yaml", "h5py"):
                for alias in node.names:
                    if alias.name in ("load", "loads", "Unpickler", "unsafe_load", "full_load", "File"):
                        yield f"line {node.lineno}: call {node.module}.{alias.name} by its whole name"
        if isinstance(node, ast.Subscript) and path not in HDF5 and _chain(node.value).endswith("h5py.File"):
            yield f"line {node.lineno}: read HDF5 with trainers.data.hdf5.plain_array"
        if not isinstance(node, ast.Call):
            continue
        name = _chain(node.func)
        module, _, function = name.rpartition(".")
        keywords = {word.arg: word.value for word in node.keywords}
        if (module, function) in UNSAFE_CALLS or (not module and function in BUILT_IN):
            yield f"line {node.lineno}: {name} runs code"
        if name == "torch.load" and not _is(keywords.get("weights_only"), expected=True):
            yield f"line {node.lineno}: torch.load without weights_only=True"
        pickles = keywords.get("allow_pickle", ast.Constant(value=False))
        if function == "load" and module in ("np", "numpy") and not _is(pickles, expected=False):
            yield f"line {node.lineno}: {name} with allow_pickle"
        if name.endswith("format.read_array") and not _is(keywords.get("allow_pickle"), expected=False):
            yield f"line {node.lineno}: read_array without allow_pickle=False"


def _chain(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_chain(node.value)}.{node.attr}"
    if isinstance(node, ast.Call):
        return _chain(node.func)
    return node.id if isinstance(node, ast.Name) else ""


def _is(node: ast.expr | None, *, expected: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is expected


def test_every_loader_is_one_that_runs_no_code() -> None:
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if said := list(complaints(path.read_text(encoding="utf-8"), name)):
                found[name] = said
    assert found == {}


def test_files_of_hdf5_are_read_in_one_place() -> None:
    openers = [
        path.relative_to(ROOT).as_posix()
        for package in ("trainers", "tocsin", "processors", "producers")
        for path in (ROOT / package).rglob("*.py")
        if "h5py.File(" in (text := path.read_text(encoding="utf-8")) and "plain_array(" not in text
    ]
    assert openers == []


@pytest.mark.parametrize(
    "line",
    [
        "pickle.load(file)",
        "pickle.loads(data)",
        "import joblib",
        "from joblib import load",
        "from pickle import loads",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.jit.load(path)",
        "np.load(path, allow_pickle=True)",
        "numpy.load(path, allow_pickle=trusted)",
        "yaml.load(text)",
        "yaml.unsafe_load(text)",
        "eval(text)",
        'h5py.File(path)["weights"]',
    ],
)
def test_an_unsafe_loader_is_found(line: str) -> None:
    assert list(complaints(line))


@pytest.mark.parametrize(
    "line", ["torch.load(path, weights_only=True)", "np.load(path)", "yaml.safe_load(x)", "net.eval()"]
)
def test_a_safe_one_is_none(line: str) -> None:
    assert not list(complaints(line))
