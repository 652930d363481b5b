"""Tools: what an agent can do besides talking. Leaves out every single tool (``builtin`` has those that ship)."""

from router.tools.tool import Tool, ToolError, printable, sentence, shorten
from router.tools.toolset import ToolSet

__all__ = ["Tool", "ToolError", "ToolSet", "printable", "sentence", "shorten"]
