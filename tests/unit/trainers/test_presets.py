"""`--set preset=small` goes with every recipe, and with the study."""

from __future__ import annotations

import pytest

from schemas.errors import SettingsError
from trainers.experiments.transfer.experiment import TransferOptions
from trainers.recipes.registry import RECIPES, recipe

pytestmark = pytest.mark.train


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_a_small_preset(name: str) -> None:
    with pytest.raises(SettingsError, match="no option 'shoe size'"):
        recipe(name).train(None, 7, {"preset": "small", "shoe size": "44"})
    with pytest.raises(SettingsError, match=r"no preset 'huge'; there are .*small"):
        recipe(name).train(None, 7, {"preset": "huge"})


def test_the_study_has_one_too() -> None:
    assert TransferOptions.parse({"preset": "small"}) != TransferOptions()
