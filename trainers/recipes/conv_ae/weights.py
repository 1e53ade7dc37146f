"""Loads the weights abnormal_sound_detect published."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

from schemas.errors import UnreadableInput


def load_weights(net: nn.Module, path: Path) -> None:
    """Copies the weights of a torch state dict of the BatchNorm form.

    Args:
        net: changed in place; its layers have the same order and names.
        path: the file; only tensors are read from it.

    Raises:
        UnreadableInput: it cannot be read, or has other layers.
    """
    try:
        with warnings.catch_warnings():
            # Of a file of another kind, which is refused below.
            warnings.simplefilter("ignore")
            state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UnreadableInput(f"{path} cannot be read: {error.strerror}: give a file of published weights") from None
    except Exception:
        # torch passes on any error of its readers; its own message has many lines, and advises loading the file
        # unsafely.
        raise UnreadableInput(f"{path} is not a torch state dict of tensors alone: give published weights") from None
    expected = {name: tensor.shape for name, tensor in net.state_dict().items()}
    if (
        not isinstance(state, dict)
        or {name: getattr(tensor, "shape", None) for name, tensor in state.items()} != expected
    ):
        raise UnreadableInput(
            f"{path} has other layers than the BatchNorm form's {len(expected)} tensors: give published weights of it"
        )
    net.load_state_dict(state)
