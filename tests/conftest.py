"""Fixtures for all tests. The network is closed in the test process, save loopback (pytest-socket, see pyproject)."""

from __future__ import annotations

import os
import shutil

import pytest

SLOW = ("embedded", "browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first, then those with the embedded model, then those in the browser."""
    items.sort(key=lambda item: max((SLOW.index(m.name) + 1 for m in item.iter_markers() if m.name in SLOW), default=0))


def require(program: str) -> str:
    """The path of a program that a test drives. Missing is a failure under CI, a stated skip elsewhere."""
    path = shutil.which(program)
    if path is None:
        message = f"{program} is not installed; see tests/run.sh."
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return path


@pytest.fixture(scope="session")
def chromium() -> str:
    return require("chromium")


@pytest.fixture(scope="session")
def node() -> str:
    return require("node")


@pytest.fixture(scope="session")
def embedded_lm():
    """The embedded model, loaded once for all tests. Mark those that use it with ``embedded``."""
    from router.lms import make_lm

    return make_lm("embedded")
