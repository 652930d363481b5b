"""What a command line that is at fault ends in: one sentence, exit status 2, and no stack trace."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest

from app import build_page
from app import main as app
from baselines.__main__ import main as baselines
from pages import frame
from router.__main__ import main as router
from tests.browser import scripted


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--knowledge", "/nope"], "'/nope' is not a folder"),
        (["--router", "/nope"], "/nope/config.json cannot be read"),
        (["--lm", "foo"], "'foo' names no model. Write embedded, a .gguf file, or provider/model"),
        (["--lm", "foo/bar"], "'foo/bar' names no provider that LiteLLM knows. Write embedded"),
        (["--lm", "/nope.gguf"], "no model file '/nope.gguf'"),
        (["--lm", "hf:a/b"], "names no file"),
    ],
    ids=" ".join,
)
def test_the_page_is_not_ready_with_an_unfit_flag(
    flags: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app(flags) == 2
    shown = capsys.readouterr()
    assert says in shown.err and shown.err.count("\n") == 1 and "ready" not in shown.out


@pytest.mark.parametrize("port", ["99999", "0", "-1", "x", ""])
def test_a_port_that_is_none_is_refused_with_its_bounds(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        app([f"--port={port}"])
    assert ended.value.code == 2 and "from 1 to 65535" in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert app(["--port", str(port)]) == 2
    shown = capsys.readouterr()
    assert f"Port {port} on 127.0.0.1 is taken. Choose another with --port." in shown.err
    assert shown.err.count("\n") == 1 and "range" not in shown.err and "ready" not in shown.out


@pytest.mark.parametrize("host", ["nope.invalid", "203.0.113.1", "a" * 70])
def test_a_host_that_is_not_this_machine_is_named_and_not_the_port(
    host: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert app(["--host", host]) == 2
    shown = capfd.readouterr()
    assert f"--host '{host}' is no address of this machine" in shown.err and shown.err.count("\n") == 1
    assert "ready" not in shown.out


def test_an_ipv6_host_is_served() -> None:
    page = build_page(scripted.services())
    try:
        frame.check_address("::1", None)
    except OSError:
        pytest.skip("this machine has no IPv6")
    address, _ = frame.serve(page, "::1", None)
    assert address.startswith("http://[::1]:") and httpx.get(address).status_code == 200
    page.close()


def test_a_hosted_model_without_a_key_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[str] = []
    monkeypatch.setattr("app.frame.launch", lambda page, services, **_: started.append(services.default_lm))
    for key in (None, "sk-1"):
        monkeypatch.setenv("OPENAI_API_KEY", key) if key else monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        assert app(["--lm", "openai/gpt-4o"]) == 0
        assert ("OPENAI_API_KEY is not set" in capsys.readouterr().err) is (key is None)
    assert started == ["openai/gpt-4o"] * 2


@pytest.mark.parametrize(
    "command",
    [
        "run --router /nope --out {out}",
        "run --knowledge /nope --out {out}",
        "run --input /nope --out {out}",
        "run --lm foo --out {out}",
        "run --lm /nope.gguf --out {out}",
        "report /nope -o {out}",
        "tables --check /nope",
        "bench --day --lm foo",
    ],
)
def test_baselines_says_in_one_sentence_what_is_missing(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert baselines(command.format(out=tmp_path / "out").split()) == 2
    _one_sentence(capsys.readouterr().err)


@pytest.mark.parametrize(
    "command",
    [
        "route --router /nope /dev/null",
        "route /nope",
        "explain hi --router /nope",
        "check --router /nope",
        "check --questions /nope",
        "check --chains /nope",
        "check --clinc /nope",
        "train /nope --out {out}",
        "bench --data /nope",
        "synthesize --lm foo --out {out}",
        "synthesize --lm embedded --router /nope --out {out}",
    ],
)
def test_the_router_says_in_one_sentence_what_is_missing(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert router(command.format(out=tmp_path / "out").split()) == 2
    _one_sentence(capsys.readouterr().err)


def _one_sentence(said: str) -> None:
    last = said.strip().splitlines()[-1]
    assert ("/nope" in last or "foo" in last) and "Errno" not in last and "Traceback" not in said
