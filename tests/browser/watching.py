"""What a page says is wrong with it, in a test that must not pass over it."""

from __future__ import annotations

from playwright.sync_api import Page


def hear_faults(page: Page, faults: list[str]) -> None:
    """Put every error of ``page`` and of its console into ``faults``."""
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)


def of_the_page(faults: list[str]) -> list[str]:
    """``faults`` without what Gradio reports where a page is left while it listens."""
    return [fault for fault in faults if "AbortError" not in fault and "errored out" not in fault]
