"""What all request schemas share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

LONG = 9_223_372_036_854_775_807

Model = Annotated[str, Field(min_length=1)]
Seed = Annotated[int, Field(ge=-LONG - 1, le=LONG)] | None
Penalty = Annotated[float, Field(ge=-2, le=2)] | None
Temperature = Annotated[float, Field(ge=0, le=2)] | None
Share = Annotated[float, Field(ge=0, le=1)] | None
Amount = Annotated[int, Field(ge=0)] | None
Choices = Annotated[int, Field(ge=1, le=128)] | None


class Strict(BaseModel):
    """A part of a request in which an unknown key is an error, even with a null value."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Open(BaseModel):
    """A part of a request in which unknown keys are welcome."""

    model_config = ConfigDict(extra="allow")


class Encoding(StrEnum):
    """How vectors are sent."""

    float = "float"
    base64 = "base64"


def check_bias(bias: dict[str, float] | None) -> None:
    """Refuse a bias beyond -100 to 100."""
    if any(not -100 <= value <= 100 for value in (bias or {}).values()):
        raise ValueError("'logit_bias' bias values must be from -100 to 100.")


def part_of(values: Any, key: str, kinds: dict[str, type[Strict]], what: str) -> Any:
    """Return `values` checked as the one of `kinds` that its `key` names.

    So a request with a wrong part is told what is wrong with that kind, not with all kinds.
    """
    if not isinstance(values, dict):
        return values
    if key not in values:
        raise ValueError(f"'{key}' must be provided{what}.")
    if values[key] not in kinds:
        raise ValueError(f"'{key}' must be one of {list(kinds)}.")
    return kinds[values[key]].model_validate(values)
