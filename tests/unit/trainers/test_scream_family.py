"""The networks: sizes, independence of level, and what is refused."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch

from schemas.errors import SettingsError
from trainers.export.torch_model import TorchModel
from trainers.recipes.scream.network_family import MODELS, network
from trainers.recipes.scream.options import ScreamOptions, spec_of

# As the talk gives them; none is given for C-RNN.
SIZES = {"A": 165, "B": 533, "C": 420, "A-depthwise": 297, "A-deep": 659}


@pytest.mark.parametrize(("name", "thousands"), SIZES.items())
def test_sizes_come_near_the_published_ones(name, thousands):
    assert TorchModel(network(name, "log-mel", 16, 0.3)).parameters == pytest.approx(thousands * 1_000, rel=0.03)


def test_the_own_network_is_small():
    assert TorchModel(network("compact", "log-mel", 16, 0.3)).parameters < 200_000


@pytest.mark.parametrize(("name", "features"), [*((one, "log-mel") for one in MODELS), ("A", "mel"), ("C-RNN", "mel")])
def test_each_becomes_onnx_and_does_not_depend_on_gain(name, features):
    torch.manual_seed(1)
    model = TorchModel(network(name, features, 8, 0.3).eval())
    windows = np.random.default_rng(2).normal(0.0, 12.0, (3, 48 if name == "compact" else 11, 64)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.graph(windows).SerializeToString())
    (answers,) = session.run(None, {"log_mel": windows})
    assert np.allclose(answers, model.predict(windows)[0], atol=1e-5)
    assert np.allclose(session.run(None, {"log_mel": windows[:1]})[0], answers[:1], atol=1e-5)
    assert np.allclose(model.predict(windows - 20.0)[0], answers, atol=1e-4)
    assert np.ptp(answers) > 0.0


def test_kernels_have_the_shape_of_their_type():
    reach = {name: network(name, "log-mel", 8, 0.0).eval().body[0][0].weight.shape[2:] for name in ("A", "B", "C")}
    assert (reach["A"][1], reach["B"][0]) == (1, 1)
    assert min(reach["A"][0], reach["B"][1], *reach["C"]) > 1


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"model": "D"}, "'D'"),
        ({"features": "mfcc"}, "'mfcc'"),
        ({"features": "mel"}, "compact"),
        ({"hop": "1000"}, "1000"),
        ({"preset": "huge"}, "'huge'"),
        ({"augment": "echo"}, "echo"),
        ({"dropout": "1.5"}, "dropout"),
    ],
)
def test_invalid_choices_are_refused(settings, named):
    with pytest.raises(SettingsError, match=named):
        ScreamOptions.parse(settings)


def test_settings_override_a_preset():
    small = ScreamOptions.parse({"preset": "small"})
    assert small.steps < ScreamOptions().steps
    assert ScreamOptions.parse({"preset": "small", "steps": "7"}).steps == 7


@pytest.mark.parametrize("hop", [320, 512, 2_048, 4_096])
def test_a_window_is_about_a_second(hop):
    spec = spec_of(ScreamOptions(hop=hop))
    assert spec.window_seconds == pytest.approx(1.0, abs=0.12)
    assert spec.window_hop * spec.hop / spec.sample_rate == pytest.approx(0.2, abs=0.05)


def test_the_weight_of_kinds_may_be_zero_but_not_negative():
    assert ScreamOptions.parse({"kinds": "0"}).kinds == 0.0
    with pytest.raises(SettingsError, match="'kinds' is '-1'; it must be 0 or above"):
        ScreamOptions.parse({"kinds": "-1"})
    with pytest.raises(SettingsError, match="'steps' is '0'; it must be above 0"):
        ScreamOptions.parse({"steps": "0"})
