"""The weights abnormal_sound_detect published, into our network of the same form."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import nn

from schemas.errors import UnreadableInput


def load_weights(net: nn.Module, path: Path) -> None:
    """Takes weights over from a torch state dict of the BatchNorm form.

    Args:
        net: changed in place; its layers lie in the same order as theirs.
        path: the file; nothing but tensors is read from it.

    Raises:
        UnreadableInput: it cannot be read, or holds other layers.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise UnreadableInput(f"{path} cannot be read as a torch state dict: {str(error)[:200]}") from None
    wanted = net.state_dict()
    if not isinstance(state, dict) or {name: tuple(one.shape) for name, one in state.items()} != {
        name: tuple(one.shape) for name, one in wanted.items()
    }:
        raise UnreadableInput(f"{path} holds other layers than the BatchNorm form's {len(wanted)} tensors")
    net.load_state_dict(state)
