"""Weights from anywhere: no code in them runs, no other file is read."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from producers.sources.table import read_table
from schemas.errors import InputError, UnreadableInput
from tests.unit.trainers.test_mimii_ae import keras_file
from trainers.data.loaders.archive import load_archive
from trainers.recipes.conv_ae.network import ConvAutoencoder
from trainers.recipes.conv_ae.weights import load_weights as load_torch
from trainers.recipes.mimii_ae.network import VectorAutoencoder
from trainers.recipes.mimii_ae.weights import load_weights as load_keras

pytestmark = pytest.mark.train

KERNEL = "model_weights/dense/dense/kernel:0"


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return _run, (str(self._marker),)


def _run(marker: str) -> None:
    Path(marker).touch()


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "code-ran"


def test_the_payload_runs_where_it_is_let(marker: Path) -> None:
    pickle.loads(pickle.dumps(Payload(marker)))  # noqa: S301 - so that it can run at all
    assert marker.exists()


@pytest.mark.parametrize("form", ["torch", "old torch", "pickle", "entry"])
def test_torch_weights_run_no_code(tmp_path: Path, marker: Path, form: str) -> None:
    path = tmp_path / "weights.pt"
    net = ConvAutoencoder(normalised=True, decibels=True)
    if form == "pickle":
        path.write_bytes(pickle.dumps(Payload(marker)))
    elif form == "entry":
        torch.save({**net.state_dict(), "extra": Payload(marker)}, path)
    else:
        torch.save(Payload(marker), path, _use_new_zipfile_serialization=form == "torch")
    with pytest.raises(UnreadableInput):
        load_torch(net, path)
    assert not marker.exists()


@pytest.mark.parametrize("form", ["external link", "soft link", "external data", "virtual", "plugin", "huge", "text"])
def test_keras_weights_are_read_from_their_own_file(tmp_path: Path, form: str) -> None:
    path, other = tmp_path / "weights.h5", tmp_path / "other.h5"
    keras_file(path)
    keras_file(other)
    load_keras(VectorAutoencoder(), path)
    with h5py.File(path, "a") as file:
        shape = file[KERNEL].shape
        del file[KERNEL]
        if form == "external link":
            file[KERNEL] = h5py.ExternalLink(str(other), KERNEL)
        elif form == "soft link":
            file[KERNEL] = h5py.SoftLink("/model_weights/dense/dense/bias:0")
        elif form == "external data":
            raw = tmp_path / "raw"
            raw.write_bytes(bytes(4 * shape[0] * shape[1]))
            file.create_dataset(KERNEL, shape, np.float32, external=[(str(raw), 0, h5py.h5f.UNLIMITED)])
        elif form == "virtual":
            layout = h5py.VirtualLayout(shape, np.float32)
            layout[:] = h5py.VirtualSource(str(other), KERNEL, shape)
            file.create_virtual_dataset(KERNEL, layout)
        elif form == "plugin":
            settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            settings.set_chunk(shape)
            settings.set_filter(32_015, h5py.h5z.FLAG_OPTIONAL)
            space, parent = h5py.h5s.create_simple(shape), file[KERNEL.rpartition("/")[0]].id
            h5py.h5d.create(parent, b"kernel:0", h5py.h5t.NATIVE_FLOAT, space, settings)
        elif form == "huge":
            file.create_dataset(KERNEL, (2**20, 2**20), np.float32, chunks=(1024, 1024))
        else:
            file[KERNEL] = "text"
    with pytest.raises(UnreadableInput, match=r"weights\.h5"):
        load_keras(VectorAutoencoder(), path)


def test_arrays_of_objects_are_refused(tmp_path: Path, marker: Path) -> None:
    path = tmp_path / "arrays.npz"
    np.savez(path, **{"6dB/id_00/normal": np.array([Payload(marker)], dtype=object)})
    for read in (load_archive, read_table):
        with pytest.raises(InputError):
            read(path)
    assert not marker.exists()


def test_a_header_that_claims_more_than_there_is_ends_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "claims.npz"
    np.savez(path, **{"6dB/id_00/normal": np.zeros((3, 4), np.float32)})
    data = path.read_bytes()
    path.write_bytes(data.replace(b"(3, 4), }" + b" " * 9, b"(2000000000000, 4)"[:17] + b"}"))
    with pytest.raises(InputError):
        load_archive(path)
