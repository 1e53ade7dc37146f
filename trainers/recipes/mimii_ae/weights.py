"""Loads published Keras weights of MIMII's baseline."""

from __future__ import annotations

from pathlib import Path

import h5py
import torch
from torch import nn

from schemas.errors import UnreadableInput
from trainers.data.hdf5 import plain_array
from trainers.recipes.mimii_ae.network import WIDTHS, VectorAutoencoder


def load_weights(net: VectorAutoencoder, path: Path) -> None:
    """Copies the weights of a Keras file with the same layers; its optimiser and configuration are not read.

    Args:
        net: changed in place.
        path: an HDF5 file as Keras 2 writes it.

    Raises:
        UnreadableInput: it cannot be read, or has other layers.
    """
    if not path.is_file():
        raise UnreadableInput(f"{path} is not a file: give one of published weights")
    dense = [layer for layer in net.layers if isinstance(layer, nn.Linear)]
    try:
        with h5py.File(path, "r") as file:
            for number, layer in enumerate(dense):
                name = "dense" if number == 0 else f"dense_{number}"
                wide, narrow = layer.in_features, layer.out_features
                kernel = plain_array(file, "model_weights", name, name, "kernel:0", shape=(wide, narrow))
                bias = plain_array(file, "model_weights", name, name, "bias:0", shape=(narrow,))
                with torch.no_grad():
                    layer.weight.copy_(torch.from_numpy(kernel.T.copy()))
                    layer.bias.copy_(torch.from_numpy(bias))
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UnreadableInput(f"{path} cannot be read as Keras weights of {WIDTHS}: {error}") from None
