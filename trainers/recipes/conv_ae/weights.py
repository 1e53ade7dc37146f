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
    except OSError as error:
        raise UnreadableInput(f"{path} cannot be read: {error.strerror}: give a file of published weights") from None
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
        # torch's own words are many lines, and advise to read the file without any care.
        raise UnreadableInput(f"{path} is no torch state dict of tensors alone: give published weights") from None
    wanted = {name: one.shape for name, one in net.state_dict().items()}
    if not isinstance(state, dict) or {name: getattr(one, "shape", None) for name, one in state.items()} != wanted:
        raise UnreadableInput(
            f"{path} holds other layers than the BatchNorm form's {len(wanted)} tensors: give published weights of it"
        )
    net.load_state_dict(state)
