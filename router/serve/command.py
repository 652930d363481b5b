"""``python -m router serve``: the endpoint in front of an upstream. Leaves out everything but arguments and starting."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from router.calls.tagger import load_router
from router.handover.gate import GateConfig
from router.handover.journal import Journal, JournalConfig
from router.serve.callers import Admission, is_loopback
from router.serve.deciding import Decider, RouterDecider
from router.serve.endpoint import Endpoint, ServeConfig, Upstream
from router.serve.handing import HandingConfig, HandoverDecider, NotedDecider
from router.serve.upstream import HttpUpstream

PORT = 8091
JOURNAL, MODELS = "switchyard.db", Path("switchyard-models")


def main(argv: Sequence[str]) -> int:
    """Serve until interrupted. Returns the exit status. Raises ValueError where the arguments are at fault."""
    import uvicorn

    args = parser().parse_args(argv)
    endpoint = build(args)
    print(f"Base URL: http://{args.host}:{args.port}/v1  ({args.mode})", file=sys.stderr, flush=True)
    uvicorn.run(
        endpoint.app, host=args.host, port=args.port, log_level="warning", access_log=False, timeout_keep_alive=75
    )
    return 0


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    serve = argparse.ArgumentParser(prog="python -m router serve", description=__doc__.splitlines()[0])
    where = serve.add_mutually_exclusive_group(required=True)
    where.add_argument("--upstream", metavar="URL", help="base URL of the LLM, such as https://api.openai.com/v1")
    where.add_argument("--lm", metavar="MODEL", help="a model in this process instead: embedded, or a .gguf file")
    serve.add_argument("--upstream-key-env", metavar="NAME", help="environment variable with the upstream's key")
    serve.add_argument("--keys-env", metavar="NAME", help="environment variable with the keys accepted from callers")
    serve.add_argument(
        "--router", type=Path, metavar="DIR", help="a router that acts as it was trained; nothing is learned"
    )
    serve.add_argument(
        "--journal",
        metavar="URL",
        help=f"file or database where calls are noted, and learned from without --router (default: {JOURNAL})",
    )
    serve.add_argument(
        "--models", type=Path, default=MODELS, metavar="DIR", help=f"of what is learned (default: {MODELS})"
    )
    serve.add_argument("--shared", action="store_true", help="all callers teach one router; else each their own")
    serve.add_argument("--target", type=float, default=0.95, help="agreement to be proven before a tool is live (.95)")
    serve.add_argument("--redact", action="append", default=[], metavar="REGEX", help="cut out of what is noted")
    serve.add_argument("--keep-days", type=float, metavar="N", help="delete noted requests after so many days")
    serve.add_argument("--mode", choices=("shadow", "live"), default="shadow")
    serve.add_argument("--per-minute", type=int, metavar="N", help="requests that one key may make in a minute")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=PORT)
    return serve


def build(args: argparse.Namespace) -> Endpoint:
    """The endpoint that ``args`` describe. Raises ValueError with the value and the remedy."""
    keys = [key.strip() for key in _secret(args.keys_env, "--keys-env").split(",") if key.strip()]
    if not keys and not is_loopback(args.host):
        raise ValueError(
            f"--host {args.host} is open to others, and no key is asked for. Give --keys-env NAME, a variable with the "
            "accepted keys, comma-separated."
        )
    if args.per_minute is not None and args.per_minute < 1:
        raise ValueError(f"--per-minute {args.per_minute} lets nobody ask. Give 1 or more.")
    config = ServeConfig(mode=args.mode, admission=Admission(keys, args.per_minute))
    return Endpoint(_upstream(args), _decider(args), config)


def _decider(args: argparse.Namespace) -> Decider:
    """The router of ``--router`` as it was trained, which ``--journal`` writes along; else a hand-over."""
    rows = JournalConfig(redact=args.redact, keep_days=args.keep_days)
    if args.router is None:
        gate = GateConfig(target=args.target)
        config = HandingConfig(args.journal or JOURNAL, args.models, args.shared, args.mode, gate, rows)
        return HandoverDecider(config)
    router = load_router(args.router)
    return NotedDecider(router, Journal(args.journal, rows)) if args.journal else RouterDecider(router)


def _upstream(args: argparse.Namespace) -> Upstream:
    key = _secret(args.upstream_key_env, "--upstream-key-env") or None
    if args.lm is None:
        return HttpUpstream(args.upstream, key)
    from router.serve.local import LocalUpstream

    return LocalUpstream(args.lm)


def _secret(name: str | None, option: str) -> str:
    if name is None:
        return ""
    if not os.environ.get(name):
        raise ValueError(f"{option} {name}: the environment variable {name} is empty. Set it, or leave the option out.")
    return os.environ[name]
