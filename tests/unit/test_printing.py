"""Only the terminal's own modules print: text from outside has no other way to a terminal."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "synthesis", "producers", "processors", "trainers", "tocsin")
# Where text is made plain before it is printed.
ALLOWED = {"tocsin/terminal.py", "tocsin/console.py", "trainers/progress.py"}
FORBIDDEN = {
    "print": "tocsin.terminal.print_line",
    "echo": "tocsin.terminal.print_line",
    "secho": "tocsin.terminal.print_line",
    "print_exc": "tocsin.terminal.print_error_lines",
    "print_exception": "tocsin.terminal.print_error_lines",
    "Console": "tocsin.console.terminal",
    "Table": "tocsin.console.DataTable",
    "from_markup": "tocsin.console.styled",
    "from_ansi": "tocsin.console.styled",
    "Markdown": "tocsin.console.styled",
    "rprint": "tocsin.terminal.print_line",
}
PLOT_TEXT = {"suptitle", "set_title", "set_xlabel", "set_ylabel"}
# Columns of a progress bar read markup unless told not to.
COLUMNS = {"TextColumn", "SpinnerColumn"}


def complaints(text: str) -> Iterator[str]:
    """What in a source file may carry text from outside to a terminal or a picture as it is."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        keywords = {word.arg: word.value for word in node.keywords}
        where = f"line {node.lineno}: {name}"
        if isinstance(node.func, ast.Attribute) and name == "print":
            # The console's own print takes renderables; a text goes through print_text.
            if node.args and not isinstance(node.args[0], ast.Name | ast.Call | ast.BoolOp):
                yield f"{where} of a text: use print_text"
        elif name in FORBIDDEN:
            yield f"{where}: use {FORBIDDEN[name]}"
        if name == "write" and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Attribute) and owner.attr in ("stdout", "stderr", "__stdout__", "__stderr__"):
                yield f"{where} on {owner.attr}: use tocsin.terminal"
        markup = keywords.get("markup")
        if isinstance(markup, ast.Constant) and markup.value:
            yield f"{where} with markup"
        if name in COLUMNS and "markup" not in keywords:
            yield f"{where}: say markup=False"
        if name in PLOT_TEXT and node.args and not _is_ours(node.args[0]):
            yield f"{where}: wrap the text in schemas.printable.plot_text"
        label = keywords.get("label")
        if name in ("plot", "hist", "errorbar", "scatter") and label is not None and not _is_ours(label):
            yield f"{where}: wrap the label in schemas.printable.plot_text"


def _is_ours(node: ast.expr) -> bool:
    """Whether a picture's text is fixed, numbers in a fixed form, or made plain."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.IfExp):
        return _is_ours(node.body) and _is_ours(node.orelse)
    if isinstance(node, ast.BoolOp):
        return all(map(_is_ours, node.values))
    if isinstance(node, ast.JoinedStr):
        return all(
            isinstance(part, ast.Constant)
            or (isinstance(part, ast.FormattedValue) and (part.format_spec is not None or _is_ours(part.value)))
            for part in node.values
        )
    if isinstance(node, ast.Name | ast.Subscript):
        name = node.id if isinstance(node, ast.Name) else getattr(node.value, "id", "")
        return name in OUR_NAMES or name.isupper() or (name.startswith("_") and name[1:].isupper())
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("plot_text", "len")


# Local names that hold one of a few fixed texts.
OUR_NAMES = {"label", "name"}


def sources() -> list[str]:
    return sorted(path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_nothing_else_prints() -> None:
    found = {
        path: said
        for path in sources()
        if path not in ALLOWED and (said := list(complaints((ROOT / path).read_text(encoding="utf-8"))))
    }
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        'print(f"{device}")',
        'typer.echo(f"{device}")',
        "typer.secho(text)",
        "Console().status(text)",
        "Table(title=name)",
        "rich.table.Table(title=name)",
        "Text.from_markup(text)",
        'console.print(f"[bold]{text}")',
        "console.print(alert.summary)",
        "console.print_text(text, markup=True)",
        "sys.stdout.write(text)",
        "sys.stderr.write(text)",
        "traceback.print_exc()",
        "TextColumn(unit)",
        "axes.set_title(title)",
        'axes.set_title(f"{alert.summary}")',
        "axes.plot(x, y, label=pair.device_id)",
    ],
)
def test_a_way_around_is_found(line: str) -> None:
    assert list(complaints(f"import rich\n{line}\n"))


@pytest.mark.parametrize(
    "line",
    [
        'print_line(f"{device}")',
        "console.print(table)",
        'axes.set_title("score")',
        'axes.set_title(f"{value:.3g} s")',
        "axes.set_title(plot_text(title))",
        "file.write(data)",
    ],
)
def test_the_right_way_is_none(line: str) -> None:
    assert not list(complaints(line))
