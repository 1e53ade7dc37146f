"""The recipes there are; each one's module is read when it is asked for, since not all need the same libraries."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from schemas.errors import ComponentMissing, SettingsError

if TYPE_CHECKING:
    from trainers.recipe import Recipe

RECIPES = {
    "quick": "trainers.recipes.knn.recipe:QuickRecipe",
    "machine": "trainers.recipes.machine.recipe:MachineRecipe",
    "conv-ae": "trainers.recipes.conv_ae.recipe:ConvAeRecipe",
    "mimii-ae": "trainers.recipes.mimii_ae.recipe:MimiiAeRecipe",
    "iaia": "trainers.recipes.iaia.recipe:IaiaRecipe",
    "fleet": "trainers.recipes.embedding.recipe:FleetRecipe",
    "leak": "trainers.recipes.leak.recipe:LeakRecipe",
    "scream": "trainers.recipes.scream.recipe:ScreamRecipe",
}
"""Where each recipe is, by its name."""


def recipe(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        SettingsError: there is none.
        ComponentMissing: a library it needs is not installed.
    """
    if name not in RECIPES:
        raise SettingsError(f"no recipe {name!r}; there are {', '.join(RECIPES)}")
    module, _, kind = RECIPES[name].partition(":")
    try:
        made: Recipe = getattr(import_module(module), kind)()
    except ModuleNotFoundError as error:
        raise ComponentMissing(
            f"recipe {name!r} needs {error.name}: install the extra with pip install 'tocsin[train]'"
        ) from None
    return made
