"""One endpoint as a process: ``python replica.py JOURNAL MODELS UPSTREAM PORT``. Live; it starts no learner."""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn

from router.handover.gate import GateConfig
from router.serve.endpoint import Endpoint, ServeConfig
from router.serve.handing import HandingConfig, HandoverDecider
from router.serve.upstream import HttpUpstream

if __name__ == "__main__":
    journal, models, upstream, port = sys.argv[1:]
    gate = GateConfig(target=0.8)
    config = HandingConfig(journal, Path(models), shared=True, mode="live", gate=gate, learns=False)
    endpoint = Endpoint(HttpUpstream(upstream), HandoverDecider(config), ServeConfig(mode="live"))
    uvicorn.run(endpoint.app, host="127.0.0.1", port=int(port), log_level="error", access_log=False)
