"""Static checks of a model's graph; nothing is run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper
from onnx.defs import onnx_opset_version

from processors.adapters.models.check.limits import CheckLimits
from processors.adapters.models.check.operators import ALLOWED, SHAPED_BY
from schemas.errors import ExternalData, ForbiddenOperator, ManifestInvalid, TooLarge
from schemas.manifest import GOLDEN_FEATURES_KEY, GOLDEN_SCORES_KEY, MANIFEST_KEY

_ONE_SIZE = {"ConstantOfShape", "Expand"}
_SHAPE_OF = {"Shape", "Size"}
_PREFIX = "tocsin."
_MAX_MANIFEST_CHARS = 64 * 1024
_MAX_METADATA = 64


def inspect(model: ModelProto, limits: CheckLimits) -> tuple[int, tuple[str, ...]]:
    """Checks a parsed file; runs nothing.

    Args:
        model: the file, parsed.
        limits: see :class:`processors.adapters.models.check.limits.CheckLimits`.

    Returns:
        The number of nodes, and the names of its operators, sorted.

    Raises:
        ManifestInvalid: its metadata are ambiguous, or a name is not printable.
        ExternalData: a tensor is stored outside the file.
        ForbiddenOperator: an operator, domain, function or nesting is not allowed, or a shape depends on data.
        TooLarge: a limit is exceeded.
    """
    _check_metadata(model)
    _check_domains(model)
    for number, message in enumerate(_messages(model)):
        if number >= limits.messages:
            raise TooLarge(f"more than {limits.messages} parts (nodes, attributes, tensors, types and the like)")
        if isinstance(message, TensorProto):
            _check_tensor(message, limits)
        elif isinstance(message, onnx.SparseTensorProto):
            raise ForbiddenOperator("sparse tensors are not loaded: export dense ones")
    graphs = list(_graphs(model.graph, 1, limits))
    nodes = [node for graph in graphs for node in graph.node]
    if len(nodes) > limits.nodes:
        raise TooLarge(f"{len(nodes)} nodes; at most {limits.nodes} are loaded")
    if (count := sum(len(graph.initializer) for graph in graphs)) > limits.initializers:
        raise TooLarge(f"{count} initializers; at most {limits.initializers} are loaded")
    for graph in graphs:
        _check_names(graph, limits)
    for node in nodes:
        if node.domain not in ALLOWED or node.op_type not in ALLOWED[node.domain]:
            raise ForbiddenOperator(
                f"operator {_escaped(node.op_type)} of {_escaped(node.domain or 'ai.onnx')} is not allowed: export"
                " without it"
            )
    _Shapes(limits).visit(model.graph, {}, frozenset())
    return len(nodes), tuple(sorted({node.op_type for node in nodes}))


def metadata_of(model: ModelProto) -> dict[str, str]:
    """``metadata_props`` by key.

    Raises:
        ManifestInvalid: a key occurs twice, so that its value is ambiguous, or is unknown.
        TooLarge: the manifest is too long.
    """
    _check_metadata(model)
    return {entry.key: entry.value for entry in model.metadata_props}


def _check_metadata(model: ModelProto) -> None:
    if len(model.metadata_props) > _MAX_METADATA:
        raise TooLarge(f"{len(model.metadata_props)} metadata entries; at most {_MAX_METADATA} are read")
    counts = Counter(entry.key for entry in model.metadata_props)
    for key, count in counts.items():
        if count > 1 or not key.startswith(_PREFIX):
            wanted = ", ".join((MANIFEST_KEY, GOLDEN_FEATURES_KEY, GOLDEN_SCORES_KEY))
            raise ManifestInvalid(
                f"metadata {_escaped(key)}: each of {wanted} may occur once, and only keys of {_PREFIX}*"
            )
    for entry in model.metadata_props:
        if entry.key == MANIFEST_KEY and len(entry.value) > _MAX_MANIFEST_CHARS:
            raise TooLarge(f"a manifest of {len(entry.value)} characters; at most {_MAX_MANIFEST_CHARS} are read")


def _check_domains(model: ModelProto) -> None:
    for opset in model.opset_import:
        if opset.domain not in ALLOWED:
            raise ForbiddenOperator(
                f"operators of domain {_escaped(opset.domain)} are not allowed; those of ai.onnx and ai.onnx.ml are"
            )
        if opset.domain in ("", "ai.onnx") and not 1 <= opset.version <= onnx_opset_version():
            raise ForbiddenOperator(f"opset {opset.version}; up to {onnx_opset_version()} is known here")
    if model.functions:
        raise ForbiddenOperator(f"{len(model.functions)} functions of its own: export with functions inlined")
    if model.training_info:
        raise ForbiddenOperator("a training graph: export the model for inference")


def _messages(message: Any) -> Iterator[Any]:
    """Every message within a message, itself included. The parser has bounded the depth at 100."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in value if hasattr(value, "add") else (value,):
                yield from _messages(part)


def _check_tensor(tensor: TensorProto, limits: CheckLimits) -> None:
    name = _escaped(tensor.name)
    if tensor.data_location != TensorProto.DEFAULT or tensor.external_data:
        where = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        raise ExternalData(
            f"tensor {name} is stored outside the file, at {_escaped(where)}: export everything into one file"
        )
    if len(tensor.dims) > limits.dimensions or any(size < 0 for size in tensor.dims):
        raise TooLarge(f"tensor {name} has dimensions {list(tensor.dims)[:20]}; {limits.dimensions} are read")
    if prod(tensor.dims) > limits.elements:
        raise TooLarge(f"tensor {name} has {prod(tensor.dims)} elements; at most {limits.elements} are loaded")


def _graphs(graph: GraphProto, depth: int, limits: CheckLimits) -> Iterator[GraphProto]:
    """The graph and its subgraphs."""
    if depth > limits.depth:
        raise ForbiddenOperator(f"graphs nested more than {limits.depth} deep")
    yield graph
    for node in graph.node:
        for inner in _subgraphs(node):
            yield from _graphs(inner, depth + 1, limits)


def _subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _check_names(graph: GraphProto, limits: CheckLimits) -> None:
    values = (item.name for item in chain(graph.initializer, graph.input, graph.output, graph.value_info))
    for name in chain(values, *((node.name, *node.input, *node.output) for node in graph.node)):
        if len(name) > limits.name_chars:
            raise TooLarge(f"a name of {len(name)} characters, {_escaped(name)}; at most {limits.name_chars} are read")
        if not name.isprintable():
            raise ManifestInvalid(f"a name with characters that are not printable: {_escaped(name)}")


class _Shapes:
    """Finds shapes that depend on data, and shapes that are too large.

    A value is fixed when it depends on constants and shapes of other values only.
    """

    def __init__(self, limits: CheckLimits) -> None:
        self._limits = limits

    def visit(self, graph: GraphProto, constants: dict[str, TensorProto], outer: frozenset[str]) -> None:
        """Visits a graph in the order that ONNX prescribes; a value not visited yet counts as data.

        Args:
            graph: the graph.
            constants: constant values by name, of the enclosing graphs.
            outer: names of the fixed values of the enclosing graphs.
        """
        # A name of the graph's own hides one of an enclosing graph.
        own = {item.name for item in graph.input}
        constants = {name: value for name, value in constants.items() if name not in own}
        constants |= {tensor.name: tensor for tensor in graph.initializer}
        fixed = set(outer - own) | set(constants) | {""}
        for node in graph.node:
            self._check(node, constants, fixed)
            for inner in _subgraphs(node):
                self.visit(inner, constants, frozenset(fixed))
            if node.op_type == "Constant":
                constants |= {name: tensor for name in node.output for tensor in _tensors(node.attribute)}
            if node.op_type in _SHAPE_OF or (fixed.issuperset(node.input) and not any(_subgraphs(node))):
                fixed.update(node.output)

    def _check(self, node: NodeProto, constants: dict[str, TensorProto], fixed: set[str]) -> None:
        shapes = [node.input[i] for i in SHAPED_BY.get(node.op_type, ()) if i < len(node.input)]
        for name in shapes:
            if name not in fixed:
                raise ForbiddenOperator(
                    f"a shape depends on data: input {_escaped(name)} of {node.op_type} must visit from constants and"
                    " shapes"
                )
            if node.op_type in _ONE_SIZE and name in constants:
                sizes = [abs(int(size)) for size in np.ravel(numpy_helper.to_array(constants[name]))[:100]]
                if prod(sizes) > self._limits.elements:
                    raise TooLarge(
                        f"{node.op_type} asks for {prod(sizes)} elements; at most {self._limits.elements} are allowed"
                    )


def _tensors(attributes: Sequence[AttributeProto]) -> Iterator[TensorProto]:
    return (attribute.t for attribute in attributes if attribute.HasField("t"))


def _escaped(text: str) -> str:
    """Untrusted text, fit for a log: escaped, at most 100 characters."""
    return ascii(text[:100])
