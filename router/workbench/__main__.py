"""``python -m router.workbench FOLDER``: trains on FOLDER/tools.json and FOLDER/rows.jsonl, told a JSON line at a time.

A process of its own, at low priority and on one processor. SIGTERM ends the training and keeps the best so far; the
last line says ``done``, ``stopped`` or ``failed``. Leaves out everything but arguments, signals and printing.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from router.workbench.train import Learn

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main(argv: Sequence[str] | None = None, learn: Learn | None = None) -> int:
    """Run the command, with ``learn`` in the place of the library's training. Returns 0, or 2 where the input was at
    fault."""
    top = argparse.ArgumentParser(prog="python -m router.workbench", description="Training, told line by line.")
    top.add_argument("folder", type=Path, metavar="FOLDER", help="has tools.json and rows.jsonl")
    top.add_argument("--target", type=float, default=0.97, help="share of the calls made that are to be right (.97)")
    top.add_argument("--seconds", type=float, help="end the training after so long, and keep the best so far")
    args = top.parse_args(argv)
    if not 0 < args.target < 1:
        top.error(f"--target {args.target} is no share between 0 and 1, such as 0.97")
    os.environ.update(dict.fromkeys(THREADS, "1"))  # read when the libraries load, which is now
    from router.learning.own import learn_calls
    from router.network.artifact import ArtifactError
    from router.tools import sentence
    from router.workbench.train import Watch, train

    enough = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: enough.set())
    watch = Watch(_tell, enough.is_set, args.seconds)
    try:
        train(args.folder, watch, args.target, learn or learn_calls)
    except BrokenPipeError:  # nobody watches any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, ArtifactError) as fault:
        watch.say("failed", message=sentence(fault))
        return 2
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _tell(line: dict[str, Any]) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(15)
    sys.exit(main())
