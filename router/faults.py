"""What a command says when its input is at fault: one sentence, never a stack trace."""

from __future__ import annotations


def sentence(fault: Exception) -> str:
    """What is wrong and what helps. An error of the operating system says it in the words of a manual; any other
    error raised here for a person says it already."""
    if isinstance(fault, OSError) and fault.strerror and fault.filename is not None:
        return f"{str(fault.filename)!r} cannot be used: {fault.strerror}. Check the path and its permissions."
    return str(fault)
