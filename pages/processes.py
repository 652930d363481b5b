"""Processes that the page starts for long work and listens to. Leaves out what they do."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from typing import IO

from pages.services import ROOT


def launch(command: Sequence[str], **variables: str) -> subprocess.Popen[str]:
    """Start ``command``: it finds this project, has one thread and the environment's ``variables``; what it complains of
    is in the server's log."""
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"} | variables
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)


def lines(process: subprocess.Popen[str]) -> Iterator[str]:
    """What ``process`` says, line by line."""
    out: IO[str] = process.stdout  # type: ignore[assignment]
    with out:
        yield from out
