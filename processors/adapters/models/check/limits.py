"""The limits on a model file, and the names of its checks."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.artefact import MAX_ARTEFACT_BYTES

GRAPH, MANIFEST, LOAD = "graph", "manifest", "load"
GOLDEN, EXTREMES = "features, shapes, golden scores", "silence, clipping, single samples"
PACE, MEMORY = "pace", "memory"
SANDBOXED = (GRAPH, MANIFEST, LOAD, GOLDEN, EXTREMES, PACE, MEMORY)
"""The checks in a process of their own, in their order."""


@dataclass(frozen=True, slots=True)
class CheckLimits:
    """The limits on a model.

    Attributes:
        file_bytes: size of the file.
        messages: parts of the file of any kind, as its format counts them.
        nodes, initializers: of the graph, those of subgraphs included.
        elements: of one tensor in the file, and of one that constants in the graph ask for.
        dimensions: of one tensor.
        depth: of nested graphs; 1 is a graph without subgraphs.
        name_chars: of any name in the graph.
        memory_bytes: address space that the check may use beyond its libraries; only Linux enforces it.
        resident_bytes: how far resident memory may grow while a batch of 64 windows is scored.
        window_s: time for one window on one thread, seconds.
        cpu_s, wall_s: time for the whole check, seconds.
    """

    file_bytes: int = MAX_ARTEFACT_BYTES
    messages: int = 500_000
    nodes: int = 20_000
    initializers: int = 20_000
    elements: int = 32 * 1024 * 1024
    dimensions: int = 8
    depth: int = 3
    name_chars: int = 500
    memory_bytes: int = 1024 * 1024 * 1024
    resident_bytes: int = 512 * 1024 * 1024
    window_s: float = 0.05
    cpu_s: int = 30
    wall_s: float = 45.0

    @property
    def too_much_memory(self) -> str:
        """The error text for a model that exceeds ``memory_bytes``."""
        return f"it needs more than {self.memory_bytes >> 20} MiB of memory"
