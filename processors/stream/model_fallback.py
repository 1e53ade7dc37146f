"""Models that fail while they score: refused there and then, and their windows scored by other models."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import TypeVar

import structlog

from processors.core.alerting.decision import ScoredWindow
from processors.core.models.model import ScoringModel
from processors.core.windowing.window import Window
from processors.stream.batch_scorer import ModelsFailed, score_windows
from schemas.errors import ModelRefused
from schemas.notice import Notice

_log = structlog.get_logger(__name__)

_MAX_TOLD = 10_000

T = TypeVar("T")

Refuse = Callable[[str, ModelRefused], bool]
"""Takes a model, by its sha256, from all its targets; False where it is assigned to none, as shipped models are."""

Substitute = Callable[[Window], ScoringModel | None]
"""The model that scores a window's device in its slot by now."""


class ModelFallback:
    """Completes batches in which models failed.

    A failed model is refused, and the windows of the batch that it was to score are scored by the model that takes its
    place. Where there is none, because the failed one ships, or where that needs windows of another length, the failed
    one scores those of the batch's windows that it can, one by one. Windows that no model can score are left out, and
    told.

    Args:
        refuse: see :data:`Refuse`.
        substitute: see :data:`Substitute`.
        executor: where models run.
    """

    def __init__(self, refuse: Refuse, substitute: Substitute, executor: Executor) -> None:
        self._refuse = refuse
        self._substitute = substitute
        self._executor = executor
        self._told: set[tuple[str, str, str]] = set()

    async def complete(
        self, failed: ModelsFailed, partition_by_device: Mapping[str, int]
    ) -> tuple[list[ScoredWindow], list[Notice]]:
        """The batch's scored windows in their order, and notices to be sent.

        Args:
            failed: the batch.
            partition_by_device: of the audio topic.
        """
        scored, errors = dict(failed.scored), dict(failed.errors)
        left = {index: window for index, window in enumerate(failed.windows) if index not in scored}
        notices: list[Notice] = []
        while errors:
            refused = {sha256 for sha256, error in errors.items() if self._refuse(sha256, error)}
            notices += self._notices(left, errors, refused)
            again: dict[int, Window] = {}
            alone: dict[int, Window] = {}
            for index, window in left.items():
                model = self._substitute(window)
                if model is not None and _takes_over(model, window):
                    again[index] = replace(window, model=model)
                else:
                    alone[index] = window
            if alone:
                scored |= await self._run(partial(_score_alone, alone, partition_by_device))
            done, errors = await self._run(partial(score_windows, again, partition_by_device))
            scored |= done
            left = {index: window for index, window in again.items() if index not in scored}
        missing = [window for index, window in enumerate(failed.windows) if index not in scored]
        if missing:
            _log.error("windows that no model could score are left out", windows=len(missing), first=_place(missing[0]))
        return [scored[index] for index in sorted(scored)], notices

    async def _run(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    def _notices(
        self, left: Mapping[int, Window], errors: Mapping[str, ModelRefused], refused: set[str]
    ) -> list[Notice]:
        """One for each device and detector, where none was sent of this model before."""
        counts: dict[tuple[str, str, str], list[Window]] = {}
        for window in (window for window in left.values() if window.slot.stage == "champion"):
            counts.setdefault((window.device_id, window.slot.detector, window.model.ref.sha256), []).append(window)
        notices = []
        for key, windows in counts.items():
            if key in self._told or key[2] not in errors:
                continue
            if len(self._told) >= _MAX_TOLD:
                self._told.clear()
            self._told.add(key)
            first, ref = windows[0], windows[0].model.ref
            follows = "another continues" if key[2] in refused else "it ships, so that no other can take its place"
            notices.append(
                Notice(
                    device_id=first.device_id,
                    detector=first.slot.detector,
                    session_id=first.session_id,
                    kind="model_refused",
                    count=len(windows),
                    end_sample=first.end_sample,
                    captured_ns=first.captured_ns,
                    summary=f"Model {ref.name} {ref.version} failed: {type(errors[key[2]]).__name__}; {follows}",
                )
            )
        return notices


def _takes_over(model: ScoringModel, window: Window) -> bool:
    other = model.ref.sha256 != window.model.ref.sha256
    return other and model.spec.geometry() == window.model.spec.geometry()


def _score_alone(windows: Mapping[int, Window], partition_by_device: Mapping[str, int]) -> dict[int, ScoredWindow]:
    scored: dict[int, ScoredWindow] = {}
    for index, window in windows.items():
        scored |= score_windows({index: window}, partition_by_device)[0]
    return scored


def _place(window: Window) -> str:
    return f"{window.device_id}/{window.slot.detector}/{window.session_id}/{window.first_sample}"
