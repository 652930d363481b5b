"""What ``litellm.yaml`` names: the router as a provider of LiteLLM, in shadow unless SWITCHYARD_MODE is "live"."""

import os
from pathlib import Path

from router.serve.gateway import Gateway
from router.serve.handing import HandingConfig, HandoverDecider

mode = os.environ.get("SWITCHYARD_MODE", "shadow")
journal = os.environ.get("SWITCHYARD_JOURNAL", "switchyard.db")
models = Path(os.environ.get("SWITCHYARD_MODELS", "switchyard-models"))
switchyard = Gateway(HandoverDecider(HandingConfig(journal, models, shared=True, mode=mode)), mode)
