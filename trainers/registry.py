"""The recipes there are."""

from __future__ import annotations

from schemas.errors import SettingsError
from trainers.machine import MachineRecipe
from trainers.recipe import Recipe
from trainers.scream import ScreamRecipe

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (MachineRecipe(), ScreamRecipe())}


def recipe(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        SettingsError: there is none.
    """
    if name not in RECIPES:
        raise SettingsError(f"no recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]
