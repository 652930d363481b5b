"""The tree as a claim: imports point one way, and each heavy library stays in its rooms."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A file imports only from rooms that stand before its own (or from its own). A name is a module or a package.
ROOMS = (
    "router.types",
    "router.trace",
    "router.tools",
    "router.network",
    "router.calls",
    "router.builtin",
    "router.plans",
    "router.lms",
    "router.learning",
    "router.handover",
    "router.workbench",
    "router.delegation",
    "router.pipeline",
    "router.serve",
    "router.bench",
    "router.__main__",
    "baselines.llm_chain",
    "baselines.tool_calling",
    "baselines.race",
    "baselines.evaluate",
    "baselines.figures",
    "baselines.adapter",
    "baselines.__main__",
    "pages",
    "app",
)

# Which rooms may import a library that is heavy or that only one room should know.
HOMES = {
    "torch": (
        "router.network.module",
        "router.network.minilm",
        "router.learning",
        "router.bench.joint",
        "router.bench.peers",
        "baselines.adapter",
    ),
    "dspy": ("router.lms", "router.delegation", "router.pipeline", "router.learning.synthesize", "baselines"),
    "xllamacpp": ("router.lms",),
    "litellm": ("router.lms",),
    "mcp": ("router.tools.mcp", "router.serve.mcp"),
    "docstring_parser": ("router.tools.functions",),
    "sqlalchemy": ("router.handover.journal",),
    "plotly": ("baselines.figures",),
    "gradio": ("pages", "app"),
}

FILES = sorted(p for top in ("router", "baselines", "pages") for p in (ROOT / top).rglob("*.py")) + [ROOT / "app.py"]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Every module that a file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import; write the full name"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


def rank(name: str) -> int | None:
    return next((i for i, room in enumerate(ROOMS) if within(name, room)), None)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    name = module_name(path)
    if name in ("router", "baselines"):
        return
    own = rank(name)
    assert own is not None, f"{name} stands in no room: add it to ROOMS"
    for target in imports(path):
        if (other := rank(target)) is not None:
            assert other <= own, f"{name} imports {target}, which stands after it"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    name = module_name(path)
    for target in imports(path):
        homes = HOMES.get(target.split(".")[0])
        assert homes is None or any(within(name, h) for h in homes), f"{name} imports {target}; its home is {homes}"


def test_the_library_imports_neither_gradio_nor_plotly_nor_baselines() -> None:
    for path in (ROOT / "router").rglob("*.py"):
        assert not {t.split(".")[0] for t in imports(path)} & {"gradio", "plotly", "baselines", "pages"}, path


LONGEST_FILE, LONGEST_FUNCTION, MOST_PARAMETERS, MOST_NAMES = 450, 60, 6, 15
# Who may know a tool that ships, a unit or a month by name: those tools, what is learned for them, and the benchmarks'
# own questions.
KNOW_THE_TOOLS = (
    "router.builtin",
    "router.learning.synthetic",
    "baselines.adapter",
    "baselines.evaluate",
)
UNITS = "miles kilometers kilometres celsius fahrenheit gallons litres kilograms ounces".split()
MONTHS = "january february march april june july august september october november december".split()
FUNCTION_WORDS = frozenset("the of and is are what how to in for with that this from".split())


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, kinds)]


def test_no_file_and_no_function_is_too_long() -> None:
    files = {str(p): lines for p in FILES if (lines := p.read_text(encoding="utf-8").count("\n")) > LONGEST_FILE}
    long = {
        f"{path.name}:{node.name}": size
        for path in FILES
        for node in functions(path)
        if (size := node.end_lineno - node.lineno + 1) > LONGEST_FUNCTION
    }
    assert files == {} and long == {}


def test_functions_take_few_parameters() -> None:
    many = []
    for path in FILES:
        for node in functions(path):
            names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            if len(names) - (names[:1] in (["self"], ["cls"])) > MOST_PARAMETERS and node.name != "__init__":
                many.append(f"{path.name}:{node.name}")
    assert many == []


def test_the_library_has_few_rooms_at_its_top() -> None:
    names = {p.name for p in (ROOT / "router").iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
    assert len(names - {"__init__.py", "__main__.py"}) <= MOST_NAMES


def strings(path: Path) -> list[str]:
    """Every string of a file but its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told
    ]


GENERAL = [p for p in FILES if not any(within(module_name(p), room) for room in KNOW_THE_TOOLS)]


@pytest.mark.parametrize("path", GENERAL, ids=lambda p: str(p.relative_to(ROOT)))
def test_general_rooms_name_no_tool_unit_month_or_english_words(path: Path) -> None:
    from router.builtin import default_tools

    names = set(default_tools()) - {"text"}  # also the name of a field of a message
    found = strings(path)
    assert not names & set(found)
    for text in found:
        words = text.lower().replace("|", " ").split()
        assert not {*UNITS, *MONTHS} & set(words), text
        listed = "|" in text and len(FUNCTION_WORDS & set(words)) >= 4
        assert not listed, f"a list of English words: {text[:80]!r}"
