"""Which model a device runs: the narrowest scope's, else the shipped one."""

from __future__ import annotations

from processors.core.models.assignments import ModelAssignments, Target
from processors.core.models.model import Slot
from schemas.features import FeatureSpec
from schemas.score import Stage

from .models import FakeModel

SPEC = FeatureSpec(n_frames=4, window_hop=2)
CHAMPION, SHADOW = Slot("machine", "champion"), Slot("machine", "shadow")


def model(name: str) -> FakeModel:
    return FakeModel(name, SPEC)


def fleet(**assigned: str) -> ModelAssignments:
    """Champions by scope, ``all``, ``kind`` or ``device``; a name with ``_shadow`` is a shadow's."""
    made = ModelAssignments({"machine": model("shipped"), "scream": model("shipped-scream")})
    scopes = {"all": "all", "kind": "kind:machine", "device": "device:d1"}
    for name, version in assigned.items():
        scope, _, stage = name.partition("_")
        kind: Stage = "shadow" if stage else "champion"
        made.put(Target("machine", scopes[scope], kind), model(version))
    return made


def versions(made: ModelAssignments, device: str = "d1", kind: str = "machine") -> dict[Slot, str]:
    return {slot: one.ref.version for slot, one in made.model_set(device, kind, ["machine"]).items()}


def test_without_assignments_the_shipped_models_score() -> None:
    assert versions(fleet()) == {CHAMPION: "shipped"}


def test_the_narrower_scope_wins() -> None:
    made = fleet(all="a", kind="k", device="d")

    assert versions(made) == {CHAMPION: "d"}
    assert versions(made, "d2") == {CHAMPION: "k"}
    assert versions(made, "d2", "room") == {CHAMPION: "a"}


def test_the_shadow_is_that_of_the_narrowest_scope_with_one() -> None:
    made = fleet(all_shadow="s", device="d", kind_shadow="t")

    assert versions(made) == {CHAMPION: "d", SHADOW: "t"}
    assert versions(made, "d2", "room") == {CHAMPION: "shipped", SHADOW: "s"}


def test_a_shadow_equal_to_the_champion_is_left_out() -> None:
    assert versions(fleet(all="a", device_shadow="a")) == {CHAMPION: "a"}


def test_removing_an_assignment_restores_the_wider_one() -> None:
    made = fleet(all="a", device="d")
    made.put(Target("machine", "device:d1", "champion"), None)

    assert versions(made) == {CHAMPION: "a"}


def test_only_changes_count_as_revisions() -> None:
    made, one = fleet(), model("a")
    target = Target("machine", "all", "champion")
    made.put(target, None)
    assert made.revision == 0
    made.put(target, one)
    made.put(target, one)
    assert made.revision == 1
    made.put(target, None)
    assert made.revision == 2


def test_detectors_keep_their_order_and_their_own_models() -> None:
    made = fleet(all="a")

    model_set = made.model_set("d1", "machine", ["scream", "machine"])

    assert [(slot.detector, one.ref.version) for slot, one in model_set.items()] == [
        ("scream", "shipped-scream"), ("machine", "a")
    ]  # fmt: skip
