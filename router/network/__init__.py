"""Text to a calibrated decision: features, the folded network, its files, its calibration, its explanation.

``Router`` is what a user needs; ``module`` is its torch twin, for training. Leaves out training (``learning``).
"""

from router.network.artifact import Calibration
from router.network.router import DEFAULT_ROUTER, NewTool, RouteChange, Router

__all__ = ["DEFAULT_ROUTER", "Calibration", "NewTool", "RouteChange", "Router"]
