"""What tests need beyond the runtime and the dev extra: declared by a marker, refused where it is not declared.

A test without a marker runs in ``make test-fast``. It may use what ``pip install tocsin[dev]`` brings, files and the
loopback interface; starting a program, or reaching a machine, fails it with a message that names the marker to add.
Libraries of the train extra cannot be imported in ``make test-fast``, installed or not.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Generator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

# Tests with one of these are left out of the fast run, and may start programs.
SLOW = frozenset({"integration", "subprocess", "train"})
# The train extra's libraries that the dev extra does not bring along with librosa.
TRAIN = frozenset({"h5py", "onnxscript", "skl2onnx", "torch", "torchvision"})
_STARTS = frozenset({"os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen"})
_LOOPBACK = ("127.", "::1", "localhost")
# Where a developer's own Kafka or Redis may run: a test that finds one there fails elsewhere.
_DEFAULT_PORTS = frozenset({6379, 9092})


class Needs:
    """Holds tests to what their markers declare.

    Args:
        fast: leave out what has a marker of :data:`SLOW`, and let nothing import :data:`TRAIN`.
    """

    def __init__(self, *, fast: bool) -> None:
        self._fast = fast
        self._without_train = fast or not all(map(find_spec, TRAIN))
        self._running: pytest.Item | None = None
        self._refused: list[str] = []
        if fast:
            sys.meta_path.insert(0, _NoTrain())
        sys.addaudithook(self._audit)

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Modules are left out before they are imported, which takes seconds or what is not installed."""
        if collection_path.suffix != ".py":
            return None
        marks = module_marks(collection_path.read_text(encoding="utf-8"))
        left_out = (self._fast and bool(marks & SLOW)) or (self._without_train and "train" in marks)
        return True if left_out else None

    def pytest_pycollect_makemodule(self, module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
        """A module that the command line names is not asked about above."""
        if self.pytest_ignore_collect(module_path):
            return _LeftOut.from_parent(parent, path=module_path)
        return None

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        unwanted = SLOW if self._fast else {"train"} if self._without_train else frozenset()
        left_out = [item for item in items if not unwanted.isdisjoint(mark.name for mark in item.iter_markers())]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item not in set(left_out)]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        self._running, self._refused = item, []
        try:
            return (yield)
        finally:
            self._running = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, None, None]:
        yield
        if self._refused:  # what was tested has taken the refusal for an error of its own and dealt with it
            pytest.fail(self._refused[0], pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        if report.failed and any(f"No module named '{name}'" in str(report.longrepr) for name in TRAIN):
            report.sections.append(("what to do", _needs_train("the module: pytestmark = pytest.mark.train")))
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        error = call.excinfo.value if call.excinfo else None
        if isinstance(error, ModuleNotFoundError) and error.name in TRAIN:
            report.sections.append(("what to do", _needs_train("the test: @pytest.mark.train")))
        return report

    def _audit(self, event: str, arguments: Sequence[object]) -> None:
        item = self._running
        if item is None or (event not in _STARTS and event != "socket.connect") or _is_platform_asking():
            return
        if not SLOW.isdisjoint(mark.name for mark in item.iter_markers()):
            return
        if event == "socket.connect":
            address = arguments[1]
            if not isinstance(address, tuple) or (
                str(address[0]).startswith(_LOOPBACK) and address[1] not in _DEFAULT_PORTS
            ):
                return
            told = f"connects to {address[0]}:{address[1]}; Kafka and Redis are for tests with @pytest.mark.integration"
        else:
            told = (
                f"starts a program ({event}), and is not marked: add @pytest.mark.subprocess, or pytestmark = "
                "pytest.mark.subprocess for all of its module; @pytest.mark.integration where it needs Kafka or Redis"
            )
        self._refused.append(f"{item.nodeid} {told}")
        raise PermissionError(self._refused[-1])


class _LeftOut(pytest.Module):
    """A module without tests, which is not imported."""

    def collect(self) -> list[pytest.Item | pytest.Collector]:
        return []


class _NoTrain(MetaPathFinder, Loader):
    """Finds the train extra's libraries, so that they are not looked for elsewhere, and refuses to load them."""

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in TRAIN else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        raise ModuleNotFoundError(f"No module named '{spec.name}' in the fast run", name=spec.name)

    def exec_module(self, module: ModuleType) -> None:
        raise NotImplementedError


def module_marks(text: str) -> set[str]:
    """Names of the markers that a module's ``pytestmark`` gives to all its tests, read without importing it."""
    if "pytestmark" not in text:
        return set()
    values = [
        statement.value
        for statement in ast.parse(text).body
        if isinstance(statement, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in statement.targets)
    ]
    return {
        node.attr
        for value in values
        for node in ast.walk(value)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "mark"
    }


def _is_platform_asking() -> bool:
    """Whether the standard library asks `file` or `uname` about the machine, as croniter does when it is imported."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_globals.get("__name__") == "platform":
            return True
    return False


def _needs_train(where: str) -> str:
    return f"this needs a library of the train extra, which the fast run goes without: mark {where}"
