"""What stands around the tabs: the header, the theme, which tabs there are, and the launch."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import gradio as gr

from pages import assets, connect, evaluate, handover, live, rules, workbench
from pages.door import Door
from pages.journals import Journals
from pages.services import Services
from pages.workbench_projects import Projects

if TYPE_CHECKING:
    from router.serve.endpoint import Endpoint

SESSIONS = 500
"""Open pages whose races the server remembers, some 125 kB each; of those before, each browser keeps its own."""
FONT = ["Inter", "ui-sans-serif", "system-ui", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "monospace"]


def header() -> None:
    """Name, promise and the switch between light and dark."""
    gr.HTML(
        html_template=assets.template("header.html"),
        js_on_load="Switchyard.header(element)",
        head=assets.head(),
        apply_default_css=False,
        elem_classes="sy-header",
    )


def more_tabs(door: Door, projects: Projects, journals: Journals) -> list[tuple[str, Callable[[Services], None]]]:
    """The tabs beside the race, by name."""
    return [
        ("Your tools", partial(workbench.build, door=door, projects=projects)),
        ("Rules", rules.build),
        ("Evaluate", partial(evaluate.build, door=door)),
        ("Hand-over", partial(handover.build, door=door, journals=journals)),
        ("Connect", connect.build),
    ]


def tab_id(label: str) -> str:
    """A tab's name in the address: ``handover`` for "Hand-over"."""
    return "".join(filter(str.isalnum, label.lower()))


def launch(page: gr.Blocks, services: Services, host: str, port: int | None, share: bool = False) -> None:
    """Serve ``page`` until interrupted, saying where; the default model is loaded while the visitor reads.

    Raises OSError where there is no such address, or it is taken.
    """
    check_address(host, port)
    try:
        address, link = serve(page, host, port, share, services.endpoint)
    except OSError:  # Gradio's own words for a taken port name settings that this page does not have
        wanted = f"Port {port} is" if port else "All ports that are tried, from 7860 on, are"
        raise OSError(f"{wanted} taken on this machine. Choose another with --port.") from None
    print(f"Switchyard is ready: {address}", flush=True)
    if link:
        print(f"Public address, for a week at most: {link}", flush=True)
    elif share:
        print("No public address: gradio.live cannot be reached from here. The local address works.", flush=True)
    threading.Thread(target=warm, args=(services,), daemon=True, name="warm").start()
    page.block_thread()


def check_address(host: str, port: int | None) -> None:
    """Raise OSError, with one sentence, where this machine cannot listen on ``host`` and ``port`` (None: any port)."""
    elsewhere = f"--host {host!r} is no address of this machine. Give 127.0.0.1, 0.0.0.0 for all, or one of its own."
    try:
        found = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        raise OSError(elsewhere) from None
    family, kind, _, _, address = found[0]
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as fault:
            if fault.errno == errno.EADDRINUSE:
                raise OSError(f"Port {port} on {host} is taken. Choose another with --port.") from None
            if fault.errno == errno.EACCES:
                raise OSError(f"Port {port} needs rights that you lack. Choose one from 1024 with --port.") from None
            raise OSError(elsewhere) from None


def serve(
    page: gr.Blocks, host: str, port: int | None, share: bool = False, endpoint: Endpoint | None = None
) -> tuple[str, str | None]:
    """Start the server, which serves ``endpoint`` too, below /v1, and return its local address and its public one.

    What a request says of where it comes from is believed only of the proxies that the owner names: without this,
    uvicorn believes it of everybody on this machine. In a Space, uvicorn's own choice holds.
    """
    if not os.environ.get("SPACE_ID"):
        os.environ.setdefault("FORWARDED_ALLOW_IPS", "")
    assets.publish()
    page.queue(default_concurrency_limit=8, max_size=2 * live.MOST_WAITING)
    _, address, link = page.launch(
        server_name=f"[{host}]" if ":" in host else host,  # IPv6 as it stands in an address
        server_port=port,
        share=share,
        quiet=True,
        prevent_thread_lock=True,
        ssr_mode=False,
        run_history=False,
        show_error=True,
        max_file_size="20mb",
        state_session_capacity=SESSIONS,
        max_threads=live.MOST_WAITING + 40,  # a question that waits for its turn holds one
        enable_monitoring=False,  # it would print an address that opens every visitor's figures
        footer_links=["api"],
        app_kwargs=None if endpoint is None else {"routes": endpoint.routes, "lifespan": endpoint.life},
        head=assets.style(),  # css_paths= would rewrite the selectors
        theme=gr.themes.Base(font=FONT, font_mono=MONO),
    )
    return address, link


def warm(services: Services) -> None:
    """Load the default model and let it read what it is always sent, so that the first question need not wait for it."""
    try:
        services.ready(services.make_lm(services.default_lm, None))
    except Exception as fault:  # the page says it again, to whoever asks
        print(f"The model {services.default_lm!r} is not ready: {fault}", flush=True)
