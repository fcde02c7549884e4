"""What the parts of the configuration are made of: their common base, and the forms of their values."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from sidecar.config import forms
from sidecar.words import Priority

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PositiveSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Status = Annotated[int, Field(ge=100, le=599)]
Uid = Annotated[int, Field(ge=0)]
Label = Annotated[str, Field(pattern=forms.LABEL)]
BrokerName = Annotated[str, Field(pattern=forms.BROKER)]
BotName = Annotated[str, Field(pattern=forms.BOT)]
FileMode = Annotated[str, Field(pattern=forms.FILE_MODE)]
RoutePath = Annotated[str, Field(pattern=forms.ROUTE), AfterValidator(forms.route)]
HeaderName = Annotated[str, Field(pattern=forms.HEADER)]
OptionalHeaderName = Annotated[str, Field(pattern=forms.OPTIONAL_HEADER)]
Address = Annotated[str, AfterValidator(forms.address), Field(json_schema_extra={"pattern": forms.ADDRESS})]
HttpUrl = Annotated[str, AfterValidator(forms.http_url), Field(json_schema_extra={"pattern": forms.HTTP_URL})]
HttpUrls = Annotated[
    tuple[HttpUrl, ...],
    BeforeValidator(forms.one_or_more),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "string", "pattern": forms.HTTP_URL}},
                {"type": "string", "pattern": forms.HTTP_URL},
            ]
        }
    ),
]
LabelValue = Annotated[str, Field(pattern=forms.LABEL_VALUE)]
File = Annotated[Path, BeforeValidator(forms.path), Field(json_schema_extra={"minLength": 1})]
PriorityName = Annotated[
    Priority,
    BeforeValidator(forms.priority),
    WithJsonSchema({"type": "string", "enum": [priority.label for priority in Priority]}),
]


def clash(key: str, what: str, right: str) -> PydanticCustomError:
    """Keys that are each right and do not go together; `key` is the one to change."""
    return PydanticCustomError("clash", "{key}: {what}; {right}", {"key": key, "what": what, "right": right})


class Part(BaseModel):
    """What every part of the tree shares: it is frozen, and it knows its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
