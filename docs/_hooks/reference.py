"""Generates the reference pages of the site from the code: settings, commands, the Python API, and the contract.

MkDocs loads this file as a hook. The pages are generated at build time and never committed, so they always match the
code.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any, get_args

import typer.main
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic_core import PydanticUndefined

from schemas.alert import Alert
from schemas.assignment import Assignment, ModelStatus
from schemas.chunk import CONTENT_TYPE, MAX_BYTES, MAX_CHANNELS, MAX_SAMPLE_RATE, MAX_SECONDS, MIN_SAMPLE_RATE
from schemas.device import Device
from schemas.event import Event
from schemas.feedback import AlertFeedback, DeviceFeedback
from schemas.health_notice import HealthNotice
from schemas.notice import Notice
from schemas.policy import Policy
from schemas.score import Score
from schemas.topics import TOPICS
from schemas.unfinished import UnfinishedSegment

RECORDS: tuple[type[Event], ...] = (
    Score, Alert, Notice, HealthNotice, Device, Policy, AlertFeedback, DeviceFeedback, Assignment, ModelStatus,
    UnfinishedSegment,
)  # fmt: skip
"""Every JSON record type; the test of the site holds this list to the contract."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages to the site."""
    pages = {
        "reference/configuration.md": configuration(),
        "reference/command-line.md": command_line(),
        "reference/python.md": python_api(),
        "reference/contract.md": contract(),
    }
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def configuration() -> str:
    """The settings page, from :class:`tocsin.settings.Settings`."""
    from tocsin.settings import PREFIX, Settings

    described = dict(_attributes(Settings.__doc__ or ""))
    lines = [
        "# Configuration reference",
        "",
        "Every setting is an environment variable. An option of a command takes precedence over it; an unknown"
        f" `{PREFIX}` variable is refused.",
        "",
        "| variable | type | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = "unset" if field.default in (None, PydanticUndefined) else f"`{field.default}`"
        meaning = described[name].replace("None is", "unset means")
        lines.append(f"| `{PREFIX}{name.upper()}` | {_type(field.annotation)} | {default} | {meaning} |")
    return "\n".join(lines) + "\n"


def _type(annotation: Any) -> str:
    choices = [choice for choice in get_args(annotation) if isinstance(choice, str)]
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)] or [annotation]
    return " or ".join({"str": "text", "Path": "path"}.get(kind.__name__, kind.__name__) for kind in kinds)


def _attributes(docstring: str) -> Iterator[tuple[str, str]]:
    """Name and description of each entry in a docstring's ``Attributes`` section; names may share an entry."""
    names: list[str] = []
    text = ""
    for line in docstring.partition("Attributes:")[2].splitlines():
        body = line.strip()
        head, colon, rest = body.partition(":")
        heads = [name.strip() for name in head.split(",")]
        if colon and len(line) - len(line.lstrip()) == 8 and all(map(str.isidentifier, heads)):
            yield from ((name, text) for name in names)
            names, text = heads, rest.strip()
        elif body:
            text += " " + body
    yield from ((name, text) for name in names)


def _cell(text: str) -> str:
    """Text of a docstring as a table cell about JSON."""
    text = re.sub(r":\w+:`([^`]*)`", r"`\1`", text.replace("``", "`").replace("|", "\\|"))
    return text.replace("None", "`null`").replace("True", "`true`")


def command_line() -> str:
    """The command reference, from the same objects that print ``--help``."""
    from tocsin.cli.main import app

    root = typer.main.get_command(app)
    lines = ["# Command-line reference", "", "Each entry is what `--help` prints for that command.", ""]
    for name, command, context in _commands("tocsin", root, None):
        text = command.get_help(context)
        lines += [f"## `{name}`", "", "```text", text.strip(), "```", ""]
    return "\n".join(lines)


def _commands(name: str, command: Any, parent: Any) -> Iterator[tuple[str, Any, Any]]:
    # Typer may bundle its own click, so groups are recognised by their methods.
    context = command.context_class(command, info_name=name.rsplit(" ", 1)[-1], parent=parent, terminal_width=100)
    yield name, command, context
    for child in command.list_commands(context) if hasattr(command, "list_commands") else ():
        found = command.get_command(context, child)
        if found is not None and not found.hidden:
            yield from _commands(f"{name} {child}", found, context)


def python_api() -> str:
    """The public Python API: signatures and docstrings of the names that ``tocsin`` exports."""
    import tocsin

    lines = ["# Python reference", "", "`import tocsin` is the public API; other modules may change.", ""]
    for name in tocsin.__all__:
        value = getattr(tocsin, name)
        lines += [f"## `tocsin.{name}`", "", *_documented(value)]
        for method in vars(value).values() if inspect.isclass(value) else ():
            if inspect.isfunction(method) and not method.__name__.startswith("_"):
                lines += [f"### `{name}.{method.__name__}`", "", *_documented(method)]
    return "\n".join(lines)


def _documented(value: Any) -> list[str]:
    """A code block with the signature, one parameter a line, and the docstring."""
    head = []
    if callable(value):
        is_async = inspect.iscoroutinefunction(value) or inspect.isasyncgenfunction(value)
        signature = inspect.signature(value)
        parameters = [_plain(str(one)) for one in signature.parameters.values() if one.name != "self"]
        keyword_only = sum(one.kind is one.KEYWORD_ONLY for one in signature.parameters.values())
        if keyword_only:
            parameters.insert(-keyword_only, "*")
        returned = _plain(f" -> {inspect.formatannotation(signature.return_annotation)}")
        closing = ")" if inspect.isclass(value) else f"){returned}"
        head = [f"{'async ' if is_async else ''}{value.__name__}("]
        head += [*(f"    {parameter}," for parameter in parameters), closing, ""]
    return ["```text", *head, inspect.getdoc(value) or "", "```", ""]


def _plain(annotated: str) -> str:
    """Without the quotes that postponed annotations have."""
    return re.sub(r"(: |-> )(?:ForwardRef\()?'([^']*)'\)?", r"\1\2", annotated)


def contract() -> str:
    """The contract: the topic table, the audio record, and the JSON Schema of every JSON record."""
    lines = [
        "# Contract reference",
        "",
        "Records follow CloudEvents 1.0 in Kafka's binary mode: attributes in `ce_*` headers, the data is the value.",
        "",
        "## Topics",
        "",
        "| topic | partitions | cleanup | retention | largest record | key |",
        "|---|---|---|---|---|---|",
    ]
    for topic in TOPICS:
        hours = topic.retention_ms / 3_600_000
        kept = "unlimited" if hours < 0 else f"{hours:g} h" if hours < 48 else f"{hours / 24:g} days"
        lines.append(
            f"| `{topic.name}` | {topic.partitions} | {topic.cleanup} | {kept} | {topic.max_bytes:,} B | {topic.key} |"
        )
    lines += [
        "",
        "## Audio records",
        "",
        f"The value is raw PCM of content type `{CONTENT_TYPE}`, at most {MAX_BYTES:,} bytes and {MAX_SECONDS} s;"
        f" 1 to {MAX_CHANNELS} channels at {MIN_SAMPLE_RATE:,} to {MAX_SAMPLE_RATE:,} Hz."
        " [Architecture](../architecture.md#the-contract) describes the headers.",
        "",
    ]
    for record in RECORDS:
        fields = [f"| `{name}` | {_cell(text)} |" for name, text in _attributes(record.__doc__ or "")]
        lines += [f"## `{record.event_type}`", "", "| field | meaning |", "|---|---|", *fields, ""]
        schema = json.dumps(record.model_json_schema(), indent=2)
        lines += [f"```json\n{schema}\n```", ""]
    return "\n".join(lines)
