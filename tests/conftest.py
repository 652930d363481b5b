"""Fixtures for all tests. The network is closed in the test process, save loopback (pytest-socket, see pyproject)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

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


@pytest.fixture(scope="module")
def provider() -> Iterator[tuple[Any, str]]:
    """A provider on loopback (``serving.Upstream``) and its base URL."""
    from serving import Upstream, served

    upstream = Upstream()
    with served(upstream.app) as url:
        yield upstream, url


@pytest.fixture
def upstream(provider: tuple[Any, str]) -> Any:
    """The provider, which has been asked nothing yet and calls the lights."""
    provider[0].renew()
    return provider[0]


@pytest.fixture
def start(provider: tuple[Any, str], upstream: Any) -> Iterator[Callable[..., tuple[Any, str]]]:
    """Start an endpoint in front of the provider: ``start(mode=..., key=...)`` gives it and its base URL."""
    from serving import Sure, served

    from router.serve.deciding import RouterDecider
    from router.serve.endpoint import Endpoint, ServeConfig
    from router.serve.upstream import HttpUpstream

    with ExitStack() as stack:

        def begin(mode: str = "live", key: str | None = None, url: str | None = None, **settings: Any):
            forward = HttpUpstream(url or provider[1], key, settings.pop("silent_s", 30.0))
            decider = RouterDecider(settings.pop("router", Sure()))
            endpoint = Endpoint(forward, decider, ServeConfig(mode=mode, **settings))
            return endpoint, stack.enter_context(served(endpoint.app))

        yield begin
