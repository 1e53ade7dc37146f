"""What a model file may be and take."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.artefact import MAX_ARTEFACT_BYTES

GRAPH, MANIFEST, LOAD = "graph", "manifest", "load"
GOLDEN, PACE, MEMORY = "features, shapes, golden scores", "pace", "memory"
SANDBOXED = (GRAPH, MANIFEST, LOAD, GOLDEN, PACE, MEMORY)
"""What is checked in a process of its own, in this order."""


@dataclass(frozen=True, slots=True)
class CheckLimits:
    """What a model may be and take.

    Attributes:
        file_bytes: size of the file.
        nodes, initializers: of the graph, those of subgraphs included.
        elements: of one tensor in the file, and of one that the graph asks for by constants.
        dimensions: of one tensor.
        depth: of graphs within graphs; 1 is a graph without any.
        name_chars: of any name in the graph.
        memory_bytes: address space the check may take beyond its libraries. Linux alone enforces it.
        resident_bytes: how far resident memory may grow while a batch of 64 windows is scored.
        window_s: time for one window on one thread, seconds.
        cpu_s, wall_s: time for the whole check, seconds.
    """

    file_bytes: int = MAX_ARTEFACT_BYTES
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
        """What is said of a model that meets ``memory_bytes``."""
        return f"it wants more than {self.memory_bytes >> 20} MiB of memory"
