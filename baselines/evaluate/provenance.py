"""Where rows come from: commit, versions, model, router, seeds, prices with their date, machine.

Leaves out names of people, hosts and folders.
"""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("dspy", "litellm", "xllamacpp", "tiktoken", "torch", "numpy", "gradio", "plotly")
ROOT = Path(__file__).resolve().parents[2]


def provenance(**known: Any) -> dict[str, Any]:
    """A JSON value that names the circumstances of a run; ``known`` (lm, router, seed, prices, ...) comes first."""
    return known | {
        "commit": commit(),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "machine": machine(),
    }


def commit() -> str | None:
    """The commit of this tree, with ``+changes`` where files differ from it; None outside a repository."""
    head = _git("rev-parse", "--short=12", "HEAD")
    return f"{head}+changes" if head and _git("status", "--porcelain", "--untracked-files=no") else head or None


def machine() -> dict[str, Any]:
    """Processor, cores that this process may use, memory in GB, system."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": _processor(), "cores": cores, "memory_gb": _memory_gb(), "system": platform.system()}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (ValueError, OSError, AttributeError):
        return None
