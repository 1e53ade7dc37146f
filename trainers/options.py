"""Options of recipes: typed fields, read from the texts of ``--set KEY=VALUE``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from schemas.errors import SettingsError

PRESET = "preset"

Preset = Mapping[str, int | float | str]

PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]

_BOUNDS = {"gt": "above {:g}", "ge": "{:g} or above", "lt": "below {:g}", "le": "{:g} at most"}
_NOT_A_NUMBER = {
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
}


class RecipeOptions(BaseModel):
    """Base of a recipe's options.

    Subclasses declare fields with defaults; a choice is a ``Literal``, a range a ``Field``. Checks of several fields
    raise ``ValueError`` in a model validator.

    Attributes:
        presets: values by option, by name of the preset; ``small`` takes minutes on two cores.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    presets: ClassVar[Mapping[str, Preset]] = {}

    @classmethod
    def parse(cls, settings: Mapping[str, str]) -> Self:
        """Options from texts.

        Args:
            settings: by name of the option; ``preset`` names one of the presets, which the other settings override.

        Raises:
            SettingsError: an option or preset is unknown, or a value is not allowed.
        """
        values: dict[str, int | float | str] = {}
        if PRESET in settings:
            values |= cls._preset(settings[PRESET])
        for name, text in settings.items():
            if name == PRESET:
                continue
            if name not in cls.model_fields:
                raise SettingsError(f"no option {name!r}; there are {', '.join(sorted(cls.model_fields))}")
            choices = get_args(cls.model_fields[name].annotation)
            values[name] = next((one for one in choices if str(one) == text), text)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SettingsError(cls._message(error.errors(include_url=False)[0])) from None

    @classmethod
    def _preset(cls, name: str) -> Preset:
        if name not in cls.presets:
            available = f"there are {', '.join(cls.presets)}" if cls.presets else "this recipe has none"
            raise SettingsError(f"no preset {name!r}; {available}")
        return cls.presets[name]

    @classmethod
    def _message(cls, error: ErrorDetails) -> str:
        context = error.get("ctx", {})
        reason = str(context["error"]) if error["type"] == "value_error" else ""
        if not error["loc"]:
            return reason or error["msg"]
        name = str(error["loc"][0])
        option = f"option {name!r} is {error['input']!r}"
        if reason:
            return f"{option}; {reason}"
        if error["type"] == "literal_error":
            return f"{option}; it must be {context['expected']}"
        if error["type"] in _NOT_A_NUMBER:
            return f"{option}; it must be {_NOT_A_NUMBER[error['type']]}"
        return f"{option}; it must be {cls._range(name) or error['msg']}"

    @classmethod
    def _range(cls, name: str) -> str:
        """The bounds of a number, in words; empty where it has none."""
        metadata = cls.model_fields[name].metadata
        return " and ".join(
            text.format(getattr(one, bound))
            for one in metadata
            for bound, text in _BOUNDS.items()
            if hasattr(one, bound)
        )
