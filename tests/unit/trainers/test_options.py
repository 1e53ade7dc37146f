"""Options of recipes: what is read from text, and how mistakes are reported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

import pytest
from pydantic import Field, field_validator, model_validator

from schemas.errors import SettingsError
from trainers.options import PositiveFloat, PositiveInt, Preset, RecipeOptions


class Options(RecipeOptions):
    presets: ClassVar[Mapping[str, Preset]] = {"small": {"steps": 3}}

    steps: PositiveInt = 10
    rate: PositiveFloat = 0.1
    share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    form: Literal["plain", "dense"] = "plain"
    hop: Literal[320, 512] = 320
    widths: str = "2,1"

    @field_validator("widths")
    @classmethod
    def _check_widths(cls, text: str) -> str:
        if text == "many":
            raise ValueError("give widths such as 2,1")
        return text

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        if self.form == "dense" and self.hop == 512:
            raise ValueError("a hop of 512 does not go with the form dense")
        return self


def test_texts_become_typed_values_and_override_the_preset() -> None:
    read = Options.parse({"rate": "0.5", "hop": "512", "preset": "small"})
    assert (read.steps, read.rate, read.hop) == (3, 0.5, 512)
    assert Options.parse({"preset": "small", "steps": "7"}).steps == 7
    assert Options.parse({}) == Options()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shoe": "44"}, "no option 'shoe'; there are form, hop, rate, share, steps, widths"),
        ({"preset": "huge"}, "no preset 'huge'; there are small"),
        ({"steps": "many"}, "option 'steps' is 'many'; it must be a whole number"),
        ({"steps": "1.5"}, "option 'steps' is '1.5'; it must be a whole number"),
        ({"steps": "0"}, "option 'steps' is '0'; it must be above 0"),
        ({"rate": "fast"}, "option 'rate' is 'fast'; it must be a number"),
        ({"rate": "nan"}, "option 'rate' is 'nan'; it must be a finite number"),
        ({"share": "1"}, "option 'share' is '1'; it must be above 0 and below 1"),
        ({"form": "round"}, "option 'form' is 'round'; it must be 'plain' or 'dense'"),
        ({"hop": "100"}, "option 'hop' is '100'; it must be 320 or 512"),
        ({"widths": "many"}, "option 'widths' is 'many'; give widths such as 2,1"),
        ({"form": "dense", "hop": "512"}, "a hop of 512 does not go with the form dense"),
    ],
)
def test_a_mistake_names_option_value_and_what_is_allowed(settings: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Options.parse(settings)
    assert str(caught.value) == message


def test_a_recipe_without_presets_says_so() -> None:
    class Plain(RecipeOptions):
        steps: PositiveInt = 1

    with pytest.raises(SettingsError, match="no preset 'small'; this recipe has none"):
        Plain.parse({"preset": "small"})
