"""The page's programming interface: ``/route`` and ``/race`` for ``gradio_client`` and plain HTTP."""

from __future__ import annotations

import gradio as gr

from pages.door import Door, address_of
from pages.live import scrub, scrub_event
from pages.services import PATHS, RaceOptions, Services
from pages.settings import check_question
from pages.trace_view import Race
from router.types import to_json


def build(services: Services, door: Door) -> None:
    """Add the endpoints to the ``gr.Blocks`` under construction."""
    endpoints = Endpoints(services, door)
    for function in (endpoints.route, endpoints.race):
        gr.api(function, api_name=function.__name__, api_description=function.__doc__, concurrency_limit=4)


class Endpoints:
    """Functions whose parameters are the interface: Gradio reads their names and types."""

    def __init__(self, services: Services, door: Door) -> None:
        self.services = services
        self.door = door

    def route(self, question: str) -> dict:
        """What the router's path would call for a question, and why not where it hands over. No language model is asked."""
        try:
            question = check_question(question, self.services.limits)
        except ValueError as fault:
            raise gr.Error(str(fault), print_exception=False) from None
        return self.services.plan(question)

    def race(
        self,
        question: str,
        lm: str = "",
        api_key: str = "",
        paths: str = "llm_chain,tool_calling,router",
        sequential: bool = True,
        request: gr.Request | None = None,
    ) -> dict:
        """Run a question down the paths. Returns {path: RunResult}: answer or error, tool results, usage, seconds.

        lm: as in --lm, empty for the page's own model; api_key: used for this call only; paths: comma-separated.
        """
        key = api_key.strip()
        try:
            question = check_question(question, self.services.limits)
            chosen = tuple(dict.fromkeys(name.strip() for name in paths.split(",") if name.strip()))
            unknown = [name for name in chosen if name not in PATHS]
            if unknown or not chosen:
                raise ValueError(f"Paths {unknown or paths!r} do not exist. Choose from {', '.join(PATHS)}.")
            visitor = address_of(request)
            model = self.door.open(lm, key, visitor)
        except ValueError as fault:
            raise gr.Error(scrub(str(fault), key), print_exception=False) from None
        run = Race.of("api", question, "", lm, "", chosen)
        options = RaceOptions(chosen, sequential, timeout_s=self.services.limits.timeout_s)
        try:
            for event in self.door.charged(self.services.race(question, model, options), visitor, key):
                run.add(scrub_event(event, key) if key else event)
        finally:
            options.stop.set()
        found = {path: to_json(result) for path, result in run.results.items()}
        for result in found.values():
            del result["path"]  # it is the key, and Gradio's client takes any object with a "path" for a file
        return found
