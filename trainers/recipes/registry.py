"""All recipes by name; a recipe's module is imported on demand, since not all need the same libraries."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from schemas.errors import ComponentMissing, SettingsError

if TYPE_CHECKING:
    from trainers.recipe import Recipe

RECIPES = {
    "knn": "trainers.recipes.knn.recipe:KnnRecipe",
    "machine": "trainers.recipes.machine.recipe:MachineRecipe",
    "conv-ae": "trainers.recipes.conv_ae.recipe:ConvAeRecipe",
    "mimii-ae": "trainers.recipes.mimii_ae.recipe:MimiiAeRecipe",
    "iaia": "trainers.recipes.iaia.recipe:IaiaRecipe",
    "embedding": "trainers.recipes.embedding.recipe:EmbeddingRecipe",
    "leak": "trainers.recipes.leak.recipe:LeakRecipe",
    "scream": "trainers.recipes.scream.recipe:ScreamRecipe",
}
"""Module and class of each recipe, by its name."""

_ALIASES = {"quick": "knn", "fleet": "embedding"}
"""Former names, still accepted."""


def recipe(name: str) -> Recipe:
    """The recipe of a name, or of a former name.

    Raises:
        SettingsError: there is no such recipe.
        ComponentMissing: a library it needs is not installed.
    """
    name = _ALIASES.get(name, name)
    if name not in RECIPES:
        raise SettingsError(f"no recipe {name!r}; there are {', '.join(RECIPES)}")
    module, _, class_name = RECIPES[name].partition(":")
    try:
        instance: Recipe = getattr(import_module(module), class_name)()
    except ModuleNotFoundError as error:
        raise ComponentMissing(
            f"recipe {name!r} needs {error.name}: install the extra with pip install 'tocsin[train]'"
        ) from None
    return instance
