"""Operator feedback on a device's detector, and its effect on the thresholds."""

from __future__ import annotations

from typing import NamedTuple

from processors.core.alerting.alert_lifecycle import AlertLifecycle
from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import BlockState
from processors.core.threshold.feedback import accept_as_normal, apply_judgement, undo_acceptance
from schemas.feedback import Action, Judgement


class OperatorFeedback(NamedTuple):
    """One record of the feedback topic.

    Attributes:
        offset: of the record.
        action: the judgement of an alert, or ``normal`` or ``undo`` for the device.
        alert_id: of the judged alert; "" for ``normal`` and ``undo``.
    """

    offset: int
    action: Action | Judgement
    alert_id: str = ""


def apply_feedback(
    rule: BlockRule, state: BlockState, lifecycle: AlertLifecycle, feedback: OperatorFeedback
) -> BlockState:
    """The rule's state after feedback; judgements of alerts no longer remembered change nothing."""
    if feedback.action == "normal":
        return accept_as_normal(rule, state)
    if feedback.action == "undo":
        return undo_acceptance(rule, state)
    for alert_id, episode in lifecycle.raised:
        if alert_id == feedback.alert_id:
            state = apply_judgement(rule, state, episode, feedback.action)
    return state
