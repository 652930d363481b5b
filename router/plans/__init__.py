"""What a question's tools are to do: ``plan`` decides, reads and arranges; nothing that has effects runs.

The page, the command line, DSPy and the endpoints call this one function.
"""

from router.plans.desk import Decides
from router.plans.plan import plan, warm
from router.plans.row import row

__all__ = ["Decides", "plan", "row", "warm"]
