"""What every run of the suite has in common."""

from __future__ import annotations

import os
import signal

import pytest

from tests.needs import Needs

# Tests run side by side; threads inside a matrix product would only fight over the cores. Before numpy is imported.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fast",
        action="store_true",
        help="leave out tests that need the train extra, Kafka, Redis or other programs",
    )


def pytest_configure(config: pytest.Config) -> None:
    # Who runs this in the background has Ctrl-C ignored, which children inherit; tests send it to theirs.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(Needs(fast=config.getoption("--fast")), "needs")
