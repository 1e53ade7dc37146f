"""The check of model files: untrusted files are refused by an error class, and do no harm outside the check."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

from processors.adapters.models.check import sandbox as model_check_sandbox
from processors.adapters.models.check.artefact import CHECKS, CheckLimits, check_artefact, examine, read_manifest
from processors.adapters.models.onnx_model import MAX_BATCH, load_model, model_of
from processors.adapters.models.signing import sign
from schemas.errors import (
    DigestMismatch,
    ExternalData,
    FeatureMismatch,
    ForbiddenOperator,
    GoldenMismatch,
    LoadCrashed,
    LoadStuck,
    ManifestInvalid,
    ModelRefused,
    ScoreNotFinite,
    ShapeMismatch,
    SizeMismatch,
    TooLarge,
    TooSlow,
    UnreadableInput,
    UnsafePath,
    Unsigned,
    WrongSignature,
)
from schemas.manifest import GOLDEN_FEATURES_KEY, GOLDEN_SCORES_KEY, MANIFEST_KEY, read_metadata
from tests.unit.processors.crafted import (
    ENDING,
    SPEC,
    announced,
    described,
    golden,
    good,
    graph,
    manifest,
    scored,
    written,
)

pytestmark = pytest.mark.subprocess

SHIPPED = Path(__file__).parents[3] / "processors" / "shipped_models"
KEY, UNTRUSTED = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
TRUSTED = (KEY.public_key(),)
NO_SCORES = np.zeros(3, np.float32)
# Processor time after which a process has begun to load; libraries take a fourth of it.
_LOADING_S = 2.0


def test_a_good_file_passes_every_check(tmp_path: Path) -> None:
    path = good(tmp_path)
    passed: list[str] = []

    report = examine(path, sign(announced(path), KEY), trusted_keys=TRUSTED, on_passed=passed.append)

    assert report.manifest == manifest() == check_artefact(path, None)
    assert passed == list(CHECKS)
    assert (report.nodes, report.operators) == (2, ("Mul", "ReduceSum"))
    assert report.golden_off < 1e-5
    assert report.window_s > 0
    assert read_manifest(path) == (manifest(), report.sha256, report.size)


@pytest.mark.parametrize("name", ["machine", "scream"])
def test_the_shipped_models_pass(name: str) -> None:
    assert check_artefact(SHIPPED / f"{name}.onnx", None).detector == name


# Before anything is parsed.


def test_the_size_must_be_the_one_announced(tmp_path: Path) -> None:
    path = good(tmp_path)
    with pytest.raises(SizeMismatch, match=str(path.stat().st_size)):
        check_artefact(path, announced(path, size=path.stat().st_size + 1))


def test_the_digest_must_be_the_one_announced(tmp_path: Path) -> None:
    path = good(tmp_path)
    with pytest.raises(DigestMismatch, match="0" * 64):
        check_artefact(path, announced(path, sha256="0" * 64))


def test_a_file_that_is_too_big_is_not_read(tmp_path: Path) -> None:
    path = good(tmp_path)
    with pytest.raises(TooLarge, match="100"):
        check_artefact(path, None, CheckLimits(file_bytes=100))


def test_an_unsigned_file_is_refused(tmp_path: Path) -> None:
    path = good(tmp_path)
    with pytest.raises(Unsigned, match="TOCSIN_MODEL_KEY"):
        check_artefact(path, announced(path), trusted_keys=TRUSTED)
    with pytest.raises(Unsigned):
        check_artefact(path, None, trusted_keys=TRUSTED)


@pytest.mark.parametrize("signature", ["", "no base64!", "AAAA"])
def test_an_invalid_signature_is_refused(tmp_path: Path, signature: str) -> None:
    path = good(tmp_path)
    with pytest.raises(WrongSignature):
        check_artefact(path, announced(path, signature=signature), trusted_keys=TRUSTED)


def test_an_untrusted_signature_is_refused(tmp_path: Path) -> None:
    path = good(tmp_path)
    artefact = sign(announced(path), UNTRUSTED)
    with pytest.raises(WrongSignature, match="TOCSIN_MODEL_TRUSTED"):
        check_artefact(path, artefact, trusted_keys=TRUSTED)
    assert check_artefact(path, artefact, trusted_keys=(*TRUSTED, UNTRUSTED.public_key())) == manifest()


@pytest.mark.parametrize("change", [{"version": "9"}, {"detector": "scream"}, {"model_id": "other"}])
def test_a_signature_is_for_one_purpose(tmp_path: Path, change: dict[str, str]) -> None:
    path = good(tmp_path)
    artefact = sign(announced(path), KEY).model_copy(update=change)
    with pytest.raises(WrongSignature):
        check_artefact(path, artefact, trusted_keys=TRUSTED)


def test_what_is_refused_early_is_never_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(model_check_sandbox.subprocess, "Popen", parse)  # type: ignore[attr-defined]
    path = good(tmp_path)
    for artefact in (announced(path, size=1), announced(path, sha256="0" * 64), announced(path)):
        with pytest.raises(ModelRefused):
            check_artefact(path, artefact, trusted_keys=TRUSTED)


def test_links_pipes_and_folders_are_not_opened(tmp_path: Path) -> None:
    link, pipe = tmp_path / "link.onnx", tmp_path / "pipe.onnx"
    link.symlink_to(good(tmp_path))
    os.mkfifo(pipe)
    for path in (link, pipe, tmp_path):
        with pytest.raises(UnsafePath):
            check_artefact(path, None)
    with pytest.raises(UnreadableInput, match="missing"):
        check_artefact(tmp_path / "missing.onnx", None)


@pytest.mark.parametrize("change", [{"version": "9"}, {"features_hash": "0" * 64}])
def test_the_file_must_be_what_was_announced(tmp_path: Path, change: dict[str, str]) -> None:
    path = good(tmp_path)
    with pytest.raises(ManifestInvalid, match="announced"):
        check_artefact(path, announced(path, **change))


# Not a model at all.


def zipped(folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("model.onnx", described(graph()).SerializeToString())
    return (folder / "a.zip").read_bytes()


def without_graph() -> ModelProto:
    model = described(graph())
    model.ClearField("graph")
    return model


def nested(depth: int) -> bytes:
    """A graph within a node within a graph ..., deeper than any parser should follow; built from the inside."""

    def field(number: int, data: bytes) -> bytes:
        size, head = len(data), bytes([number << 3 | 2])
        while size > 127:
            head, size = head + bytes([size & 127 | 128]), size >> 7
        return head + bytes([size]) + data

    inner = b""
    for _ in range(depth):
        attribute = field(1, b"body") + field(6, inner) + bytes([20 << 3 & 127 | 128, 1, 5])
        inner = field(1, field(4, b"Scan") + field(5, attribute))
    return field(7, inner)


NOT_MODELS: dict[str, Callable[[Path], bytes | ModelProto]] = {
    "empty": lambda _: b"",
    "text": lambda _: b"this is no model\n" * 100,
    "zip": zipped,
    "zeros": lambda _: bytes(1000),
    "first half": lambda folder: good(folder).read_bytes()[:500],
    "all but a byte": lambda folder: good(folder).read_bytes()[:-1],
    "nested 300 deep": lambda _: nested(300),
    "no graph": lambda _: without_graph(),
    # Valid ONNX, too: an unknown field of four bytes.
    "onnxruntime's own format": lambda folder: b"\xa2\x06\x84\x00ORTM" + good(folder).read_bytes(),
}


@pytest.mark.parametrize("name", NOT_MODELS)
def test_what_is_not_a_model_is_refused(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, NOT_MODELS[name](tmp_path))
    with pytest.raises(ManifestInvalid):
        check_artefact(path, None)


# Its graph.


def external(location: str | None) -> ModelProto:
    model = described(graph())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    if location is not None:
        tensor.external_data.add(key="location", value=location)
    return model


@pytest.mark.parametrize("location", ["weights.bin", "../../../etc/passwd", "/etc/passwd", "", None])
def test_data_outside_the_file(tmp_path: Path, location: str | None) -> None:
    with pytest.raises(ExternalData, match="weight"):
        check_artefact(written(tmp_path, external(location)), None)


def test_data_outside_the_file_in_an_attribute(tmp_path: Path) -> None:
    constant = helper.make_node("Constant", [], ["more"], value=helper.make_tensor("hidden", 1, [1], [0.0]))
    constant.attribute[0].t.external_data.add(key="location", value="../secret")
    model = described(graph([constant, *ENDING]), scores=NO_SCORES)
    with pytest.raises(ExternalData, match="hidden"):
        check_artefact(written(tmp_path, model), None)


def loop(trips: int) -> list[NodeProto]:
    """Counts to ``trips``: the optimiser would run it while it loads."""
    true = helper.make_tensor("true", TensorProto.BOOL, [], [True])
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["goes_on"]),
            helper.make_node("Mul", ["sum", "sum"], ["sum_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("trip", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum_out", TensorProto.FLOAT, [1]),
        ],
    )
    return [
        helper.make_node("Constant", [], ["trips"], value=helper.make_tensor("t", TensorProto.INT64, [], [trips])),
        helper.make_node("Constant", [], ["start"], value=true),
        helper.make_node("Constant", [], ["zero"], value=helper.make_tensor("z", TensorProto.FLOAT, [1], [1.0])),
        helper.make_node("Loop", ["trips", "start", "zero"], ["counted"], body=body),
    ]


def branches(depth: int) -> GraphProto:
    inner = [helper.make_node("Identity", ["weight"], ["out"])]
    for _ in range(depth):
        body = helper.make_graph(inner, "body", [], [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)])
        inner = [helper.make_node("Scan", ["weight"], ["out"], body=body, num_scan_inputs=1)]
    return inner[0]


def with_function() -> ModelProto:
    model = described(graph(), scores=NO_SCORES)
    body = [helper.make_node("Relu", ["x"], ["y"])]
    model.functions.append(helper.make_function("", "Own", ["x"], ["y"], body, [helper.make_opsetid("", 18)]))
    return model


def shaped_by_data(operator: str, **attributes: int) -> ModelProto:
    nodes = [
        helper.make_node("Cast", ["log_mel"], ["numbers"], to=TensorProto.INT64),
        helper.make_node("Gather", ["numbers", "axes"], ["shape"]),
        helper.make_node(operator, ["weight", "shape"], ["large"], **attributes),
        *ENDING,
    ]
    return described(graph(nodes), scores=NO_SCORES)


FORBIDDEN: dict[str, Callable[[], ModelProto]] = {
    "a domain": lambda: described(graph(domains=("", "com.microsoft")), scores=NO_SCORES),
    "an operator of another domain": lambda: described(
        graph([helper.make_node("PyOp", ["weight"], ["more"], domain="org.stranger"), *ENDING]), scores=NO_SCORES
    ),
    "an unknown operator": lambda: described(
        graph([helper.make_node("Exfiltrate", ["weight"], ["more"]), *ENDING]), scores=NO_SCORES
    ),
    "randomness": lambda: described(
        graph([helper.make_node("RandomNormalLike", ["log_mel"], ["more"]), *ENDING]), scores=NO_SCORES
    ),
    "a loop without end": lambda: described(graph([*loop(2**62), *ENDING]), scores=NO_SCORES),
    "graphs in graphs": lambda: described(graph([branches(5), *ENDING]), scores=NO_SCORES),
    "a function": with_function,
    "a size that depends on data": lambda: described(
        graph([helper.make_node("NonZero", ["log_mel"], ["more"]), *ENDING]), scores=NO_SCORES
    ),
    "a shape that depends on data": lambda: shaped_by_data("Expand"),
    "repeats that depend on data": lambda: shaped_by_data("Tile"),
    "a reshape that depends on data": lambda: shaped_by_data("Reshape"),
    "a future opset": lambda: described(later_opset(), scores=NO_SCORES),
    "sparse tensors": lambda: described(sparse(), scores=NO_SCORES),
    "training": lambda: described(trained(), scores=NO_SCORES),
}


def later_opset() -> ModelProto:
    model = graph()
    model.opset_import[0].version = 9_999
    return model


def sparse() -> ModelProto:
    model = graph()
    model.graph.sparse_initializer.add().dims.append(3)
    return model


def trained() -> ModelProto:
    model = graph()
    model.training_info.add().algorithm.name = "more"
    return model


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_a_graph_may_not_use(tmp_path: Path, name: str) -> None:
    with pytest.raises(ForbiddenOperator):
        check_artefact(written(tmp_path, FORBIDDEN[name]()), None)


def test_shapes_may_follow_from_shapes(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["log_mel"], ["shape"]),
        helper.make_node("Expand", ["weight", "shape"], ["wide"]),
        helper.make_node("Mul", ["log_mel", "wide"], ["weighted"]),
        ENDING[1],
    ]
    assert check_artefact(written(tmp_path, described(graph(nodes))), None) == manifest()


def test_a_scan_over_fixed_rows_may_be_used(tmp_path: Path) -> None:
    body = helper.make_graph(
        [helper.make_node("Mul", ["row", "row"], ["squared"])],
        "body",
        [helper.make_tensor_value_info("row", TensorProto.FLOAT, [SPEC.width])],
        [helper.make_tensor_value_info("squared", TensorProto.FLOAT, [SPEC.width])],
    )
    nodes = [helper.make_node("Scan", ["weight"], ["squares"], body=body, num_scan_inputs=1)]
    nodes += [helper.make_node("Mul", ["log_mel", "squares"], ["weighted"]), ENDING[1]]
    assert check_artefact(written(tmp_path, described(graph(nodes))), None) == manifest()


def chain(length: int) -> list[NodeProto]:
    nodes = [helper.make_node("Relu", ["log_mel"], ["r0"])]
    nodes += [helper.make_node("Relu", [f"r{i}"], [f"r{i + 1}"]) for i in range(length)]
    return [*nodes, *ENDING]


def test_too_many_nodes(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="23 nodes; at most 20 "):
        check_artefact(written(tmp_path, described(graph(chain(20)))), None, CheckLimits(nodes=20))


def test_too_many_initializers(tmp_path: Path) -> None:
    path = written(tmp_path, described(graph()))
    with pytest.raises(TooLarge, match="2 initializers"):
        check_artefact(path, None, CheckLimits(initializers=1))


def test_a_tensor_that_is_too_large(tmp_path: Path) -> None:
    path = written(tmp_path, described(graph()))
    with pytest.raises(TooLarge, match="32 elements"):
        check_artefact(path, None, CheckLimits(elements=31))
    model = described(graph())
    model.graph.initializer[0].dims[:] = [2**40, 2**20]
    with pytest.raises(TooLarge, match=str(2**60)):
        check_artefact(written(tmp_path, model), None)


def test_a_tensor_of_too_many_dimensions_or_of_less_than_none(tmp_path: Path) -> None:
    for dims in ([1] * 9, [-4, -8]):
        model = described(graph())
        model.graph.initializer[0].dims[:] = dims
        with pytest.raises(TooLarge, match="dimensions"):
            check_artefact(written(tmp_path, model), None)


def test_names_are_short_and_print(tmp_path: Path) -> None:
    long, hidden = described(graph()), described(graph())
    long.graph.node[0].name = "a" * 501
    hidden.graph.node[0].name = "\x1b[2Jnothing"
    with pytest.raises(TooLarge, match="501"):
        check_artefact(written(tmp_path, long), None)
    with pytest.raises(ManifestInvalid, match=r"\\x1b\[2J"):
        check_artefact(written(tmp_path, hidden), None)


# What it asks of the machine.


def bomb(*dims: int) -> ModelProto:
    """Asks for a constant of this shape; few bytes in the file."""
    nodes = [helper.make_node("ConstantOfShape", ["large"], ["zeros"]), *ENDING]
    return described(graph(nodes, {"large": np.array(dims)}), scores=NO_SCORES)


def hidden_bomb(elements: int) -> ModelProto:
    """The same, the shape computed, and used so that nobody may leave it out."""
    nodes = [
        helper.make_node("Add", ["large", "one"], ["larger"]),
        helper.make_node("ConstantOfShape", ["larger"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["nothing"], keepdims=0),
        helper.make_node("Mul", ["log_mel", "weight"], ["weighted"]),
        helper.make_node("Add", ["weighted", "nothing"], ["more"]),
        helper.make_node("ReduceSum", ["more", "axes"], ["score"], keepdims=0),
    ]
    tensors = {"large": np.array([elements]), "one": np.array([1])}
    return described(graph(nodes, tensors), scores=NO_SCORES)


def test_a_constant_that_is_too_large(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match=str(2**40)):
        check_artefact(written(tmp_path, bomb(2**20, 2**20)), None)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not keep the limit of address space")
@pytest.mark.parametrize("elements", [2**30, 2**40])
def test_memory_is_limited(tmp_path: Path, elements: int) -> None:
    with pytest.raises(TooLarge, match="MiB of memory"):
        check_artefact(written(tmp_path, hidden_bomb(elements)), None)


def test_resident_memory_is_measured(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="64 windows"):
        check_artefact(good(tmp_path), None, CheckLimits(resident_bytes=-1))


def slow(size: int, length: int) -> ModelProto:
    """Matrices multiplied again and again, for every window."""
    nodes = [
        helper.make_node("ReduceSum", ["log_mel", "axes"], ["sums"]),
        helper.make_node("Mul", ["sums", "square"], ["m0"]),
        *(helper.make_node("MatMul", [f"m{i}", "m0"], [f"m{i + 1}"]) for i in range(length)),
        helper.make_node("ReduceSum", [f"m{length}", "axes"], ["score"], keepdims=0),
    ]
    return graph(nodes, {"square": np.full((size, size), 1e-3, np.float32)})


def test_too_slow(tmp_path: Path) -> None:
    with pytest.raises(TooSlow, match="ms a window"):
        check_artefact(written(tmp_path, described(slow(1_000, 20))), None)


def test_so_slow_that_it_does_not_end(tmp_path: Path) -> None:
    # Each window alone takes more computing than the whole check may.
    model = described(slow(2_000, 400), scores=NO_SCORES)
    with pytest.raises(TooSlow, match="did not end within 2 s of computing"):
        check_artefact(written(tmp_path, model), None, CheckLimits(cpu_s=2))


def stuck() -> ModelProto:
    """A chain of constants that the optimiser multiplies while it loads: minutes of work, some MB of file."""
    nodes = [helper.make_node("MatMul", ["square" if i == 0 else f"m{i - 1}", "square"], [f"m{i}"]) for i in range(400)]
    nodes += [
        helper.make_node("ReduceSum", ["m399"], ["nothing"], keepdims=0),
        helper.make_node("Mul", ["log_mel", "nothing"], ["weighted"]),
        ENDING[1],
    ]
    return described(graph(nodes, {"square": np.zeros((2_000, 2_000), np.float32)}), scores=NO_SCORES)


@pytest.mark.parametrize(
    ("limits", "spent"),
    [
        (CheckLimits(cpu_s=2, memory_bytes=2**40), "2 s of computing"),
        (CheckLimits(wall_s=3.0, memory_bytes=2**40), "3 s"),
    ],
    ids=["computing", "time"],
)
def test_a_load_that_does_not_end(tmp_path: Path, limits: CheckLimits, spent: str) -> None:
    with pytest.raises(LoadStuck, match=f"did not end within {spent}; it was at 'load'"):
        check_artefact(written(tmp_path, stuck()), None, limits)


# What it says of itself.


def test_inputs_must_be_the_specifications(tmp_path: Path) -> None:
    cast = helper.make_node("Cast", ["log_mel"], ["floats"], to=TensorProto.FLOAT)
    doubled = [cast, helper.make_node("Mul", ["floats", "weight"], ["weighted"]), ENDING[1]]
    renamed = [helper.make_node("Mul", ["other", "weight"], ["weighted"]), ENDING[1]]
    for model in (
        graph(renamed, name="other"),
        graph(shape=("batch", SPEC.n_frames, 1)),
        graph(shape=("batch", SPEC.n_frames, "any")),
        graph(doubled, kind=TensorProto.DOUBLE),
    ):
        with pytest.raises(ShapeMismatch, match="inputs"):
            check_artefact(written(tmp_path, described(model, scores=NO_SCORES)), None)


def test_outputs_must_be_score_and_bands(tmp_path: Path) -> None:
    named = [ENDING[0], helper.make_node("ReduceSum", ["weighted", "axes"], ["scores"], keepdims=0)]
    kept = [ENDING[0], helper.make_node("ReduceSum", ["weighted", "axes"], ["score"])]
    for model in (
        graph(named, outputs={"scores": ("batch",)}),
        graph(outputs={"score": ("batch",), "weighted": ("batch", 4, 8)}),
        graph(kept, outputs={"score": ("batch", 1, 1)}),
    ):
        with pytest.raises(ShapeMismatch, match="outputs"):
            check_artefact(written(tmp_path, described(model, scores=NO_SCORES)), None)


def test_any_number_of_windows_is_scored(tmp_path: Path) -> None:
    fixed = graph(shape=(3, SPEC.n_frames, SPEC.width), outputs={"score": (3,)})
    with pytest.raises(ShapeMismatch, match="for every n"):
        check_artefact(written(tmp_path, described(fixed)), None)


def test_a_window_is_scored_for_itself(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["log_mel", "first"], ["mean"]),
        helper.make_node("Sub", ["log_mel", "mean"], ["alone"]),
        helper.make_node("Mul", ["alone", "weight"], ["weighted"]),
        ENDING[1],
    ]
    model = described(graph(nodes, {"first": np.array([0])}))
    with pytest.raises(GoldenMismatch, match="alone and among 64"):
        check_artefact(written(tmp_path, model), None)


def test_features_this_build_does_not_compute(tmp_path: Path) -> None:
    with pytest.raises(FeatureMismatch, match="000000000000"):
        check_artefact(written(tmp_path, described(graph(), manifest(features_hash="0" * 64))), None)


def test_golden_scores_must_be_reproduced(tmp_path: Path) -> None:
    model = graph()
    off = scored(model, golden()) + np.array([0, 0, 0.01], np.float32)
    with pytest.raises(GoldenMismatch, match=r"0\.01"):
        check_artefact(written(tmp_path, described(model, scores=off)), None)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_golden_vectors_must_be_finite(tmp_path: Path, value: float) -> None:
    windows = golden()
    windows[1, 2, 3] = value
    for model in (
        described(graph(), scores=np.full(3, value, np.float32)),
        described(graph(), windows=windows),
    ):
        with pytest.raises(GoldenMismatch, match="finite"):
            check_artefact(written(tmp_path, model), None)


@pytest.mark.parametrize("fed", ["silence", "full scale"])
def test_sound_at_its_extremes_must_be_scored(tmp_path: Path, fed: str) -> None:
    # Golden windows are of either sign, and so less than their absolute sum; silence is all zeros, 0 / 0.
    magnitude = helper.make_node("Abs", ["log_mel"], ["magnitude"])
    total = helper.make_node("ReduceSum", ["magnitude", "axes"], ["total"], keepdims=0)
    if fed == "silence":
        ending = [helper.make_node("Div", ["total", "total"], ["score"])]
    else:
        ending = [
            helper.make_node("Mul", ["total", "huge"], ["large"]),
            helper.make_node("Exp", ["large"], ["score"]),
        ]
    model = graph([magnitude, total, *ending], {"huge": np.array(0.5, np.float32)})
    path = written(tmp_path, described(model))

    with pytest.raises(ScoreNotFinite, match=r"(nan|inf) for"):
        check_artefact(path, None)


def test_sound_at_its_extremes_must_be_scored_in_time(tmp_path: Path) -> None:
    path = good(tmp_path)
    with pytest.raises(TooSlow, match="ms a window"):
        # Below zero: the clock of processor time is coarse, and may say that none was needed.
        check_artefact(path, None, CheckLimits(window_s=-1.0))


@pytest.mark.parametrize("count", [0, 65])
def test_one_to_64_golden_windows(tmp_path: Path, count: int) -> None:
    model = described(graph(), windows=golden(count), scores=np.zeros(count, np.float32))
    with pytest.raises(ManifestInvalid, match="1 to 64"):
        check_artefact(written(tmp_path, model), None)


@pytest.mark.parametrize("key", [MANIFEST_KEY, GOLDEN_FEATURES_KEY, GOLDEN_SCORES_KEY])
def test_metadata_missing(tmp_path: Path, key: str) -> None:
    model = described(graph())
    kept = [(entry.key, entry.value) for entry in model.metadata_props if entry.key != key]
    del model.metadata_props[:]
    for name, value in kept:
        model.metadata_props.add(key=name, value=value)
    for read in (lambda path: check_artefact(path, None), read_manifest):
        with pytest.raises(ManifestInvalid, match=key):
            read(written(tmp_path, model))


@pytest.mark.parametrize("key", [MANIFEST_KEY, "ort_config"])
def test_metadata_with_two_meanings(tmp_path: Path, key: str) -> None:
    model = described(graph())
    model.metadata_props.add(key=key, value="{}")
    for read in (lambda path: check_artefact(path, None), read_manifest):
        with pytest.raises(ManifestInvalid, match=key):
            read(written(tmp_path, model))


@pytest.mark.parametrize("same", [True, False])
def test_many_metadata_are_refused_at_once(tmp_path: Path, same: bool) -> None:
    model = described(graph())
    for number in range(200_000):
        model.metadata_props.add(key="tocsin.x" if same else f"tocsin.{number}", value="")
    path = written(tmp_path, model)

    for what in (lambda: check_artefact(path, None), lambda: read_manifest(path)):
        with pytest.raises(TooLarge, match=r"200003 metadata"):
            what()


def test_many_parts_are_refused(tmp_path: Path) -> None:
    model = described(graph())
    model.graph.value_info.extend(helper.make_empty_tensor_value_info(f"v{number}") for number in range(3_000))

    with pytest.raises(TooLarge, match="parts"):
        check_artefact(written(tmp_path, model), None, CheckLimits(messages=2_000))


def test_a_manifest_that_is_too_long(tmp_path: Path) -> None:
    claimed = manifest().model_copy(update={"trained_on": "x" * 70_000})
    path = written(tmp_path, described(graph(), claimed))
    for read in (lambda path: check_artefact(path, None), read_manifest):
        with pytest.raises(TooLarge, match="manifest"):
            read(path)


# The process that runs the check.


def test_a_manifest_is_read_of_a_file_that_would_not_load(tmp_path: Path) -> None:
    path = written(tmp_path, FORBIDDEN["a loop without end"]())
    assert read_manifest(path)[0] == manifest()


@pytest.mark.parametrize(
    ("code", "error", "text"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", LoadCrashed, "signal 11"),
        ("import sys; sys.exit(3)", LoadCrashed, "exit code 3"),
        ("print('{\"answer\": {}}'); import sys; sys.exit(1)", LoadCrashed, "exit code 1"),
        ("print('{\"answer\": {}}')", LoadCrashed, "invalid answer"),
        ('print(\'{"refused": "UserError"}\')', LoadCrashed, "UserError"),
        ("print('[1]'); print('no json')", LoadCrashed, "exit code 0"),
        ("import time; time.sleep(600)", LoadStuck, "graph"),
        ("import os, time; os.close(1); time.sleep(600)", LoadCrashed, "signal 9"),
        ("import os, time; os.fork(); time.sleep(600)", LoadStuck, "graph"),
    ],
)
def test_whatever_the_process_does_it_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, error: type[ModelRefused], text: str
) -> None:
    (tmp_path / "trick.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(model_check_sandbox, "_PROCESS", "trick")
    monkeypatch.setattr(model_check_sandbox, "_GRACE_S", 0.5)

    with pytest.raises(error, match=text):
        check_artefact(good(tmp_path), None, CheckLimits(wall_s=1.0))

    # What it was started with names this folder, and what it forked inherits it.
    started = psutil.process_iter(["cmdline", "environ"])
    assert not [
        process
        for process in started
        if "trick" in (process.info["cmdline"] or ())
        and str(tmp_path) in (process.info["environ"] or {}).get("PYTHONPATH", "")
    ]


def test_a_process_that_writes_too_much_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trick.py").write_text("while True: print('x' * 1000)")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(model_check_sandbox, "_PROCESS", "trick")
    with pytest.raises(LoadCrashed, match="too much"):
        check_artefact(good(tmp_path), None, CheckLimits(wall_s=9_999.0))


def test_the_process_is_given_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trick.py").write_text(
        "import json, os; print(json.dumps({'refused': 'TooSlow', 'message': str(os.environ)}))"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(model_check_sandbox, "_PROCESS", "trick")
    monkeypatch.setenv("TOCSIN_REDIS_URL", "redis://:hunter2@host")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")

    with pytest.raises(TooSlow) as refused:
        check_artefact(good(tmp_path), None)

    assert "OMP_NUM_THREADS" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_the_process_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; import sys;"
        "from processors.adapters.models.check.artefact import CheckLimits, check_artefact;"
        "check_artefact(Path(sys.argv[1]), None, CheckLimits(wall_s=20.0, cpu_s=9_999, memory_bytes=2**40))"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(written(tmp_path, stuck()))], cwd=Path(__file__).parents[3]
    )
    child = None
    while parent.poll() is None and (child is None or child.cpu_times().user < _LOADING_S):
        child = next((c for c in psutil.Process(parent.pid).children() if "check" in c.cmdline()), None)
        time.sleep(0.02)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert child is not None
    _, alive = psutil.wait_procs([child], timeout=60)
    for process in alive:
        process.kill()
    assert not alive


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=8))
def test_a_damaged_file_is_refused_by_name_or_still_right(tmp_path: Path, flips: list[tuple[float, int]]) -> None:
    whole = described(graph()).SerializeToString()
    damaged = bytearray(whole)
    for place, bit in flips:
        damaged[int(place * len(damaged))] ^= 1 << bit
    path = written(tmp_path, bytes(damaged))
    try:
        check_artefact(path, None)
    except ModelRefused:
        return
    features, scores = read_metadata(
        {entry.key: entry.value for entry in ModelProto.FromString(bytes(damaged)).metadata_props}
    )[1:]
    np.testing.assert_allclose(load_model(path).score(features)[0], scores, rtol=1e-3, atol=1e-3)


def test_a_model_in_which_a_score_depends_on_its_batch_is_run_window_by_window(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["log_mel", "batch_axis"], ["usual"], keepdims=1),
        helper.make_node("Sub", ["log_mel", "usual"], ["unusual"]),
        helper.make_node("Add", ["log_mel", "unusual"], ["sum"]),
        helper.make_node("ReduceSum", ["sum", "axes"], ["score"], keepdims=0),
    ]
    dependent = described(graph(nodes, {"batch_axis": np.array([0])}))
    alone = np.concatenate([scored(dependent, golden()[row : row + 1]) for row in range(len(golden()))])

    model = model_of(dependent.SerializeToString(), "dependent")

    assert (model.batch, load_model(good(tmp_path)).batch) == (1, MAX_BATCH)
    np.testing.assert_array_equal(model.score(golden())[0], alone)
