"""What clients may send: the part of OpenAI's protocol that this service understands.

Unknown fields are ignored, as OpenAI's own service does; fields that would change the answer and are not
supported are refused, so that nobody believes they worked. Types are JSON's: neither "3" nor true is a number.
The first wrong item of a list ends its check: a megabyte of wrong ones would hold up everybody for seconds.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError


def _whole_characters(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        # JSON can write half of a character; no tokenizer takes it.
        raise ValueError("holds half of a surrogate pair, which is no text") from None
    return text


PlainText = Annotated[str, AfterValidator(_whole_characters)]
StopString = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_whole_characters)]
TokenId = Annotated[StrictInt, Field(ge=0)]


def _unservable(param: str, problem: str) -> PydanticCustomError:
    """An error of the whole body that is about one field of it."""
    return PydanticCustomError("unservable", "{problem}", {"param": param, "problem": problem})


_REFUSED: dict[str, tuple[object, ...]] = {
    "n": (1,),
    "best_of": (1,),
    "echo": (False,),
    "suffix": ("",),
    "logprobs": (False, 0),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
}
"""Fields that are not supported, with the values that ask for nothing; null always does."""


def _same(value: object, other: object) -> bool:
    """Equal as JSON has it, where `true` is not 1."""
    return value == other and isinstance(value, bool) is isinstance(other, bool)


class StreamOptions(BaseModel):
    """How to stream."""

    include_usage: StrictBool = False


class Generate(BaseModel):
    """What both endpoints take."""

    model: str | None = Field(None, max_length=500)
    temperature: StrictFloat = Field(1.0, ge=0, le=2)
    top_p: StrictFloat = Field(1.0, gt=0, le=1)
    seed: StrictInt | None = Field(None, ge=-(2**63), lt=2**63)
    stop: tuple[StopString, ...] = Field((), max_length=4, fail_fast=True)
    stream: StrictBool = False
    stream_options: StreamOptions = StreamOptions()

    @model_validator(mode="before")
    @classmethod
    def _normalise(cls, data: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
        if not isinstance(data, dict):
            return data
        for name, harmless in _REFUSED.items():
            value = data.get(name)
            if value is not None and not any(_same(value, one) for one in harmless):
                raise _unservable(name, "is not supported; leave it out")
        if data.get("stream_options") is not None and not data.get("stream"):
            raise _unservable("stream_options", "goes with stream alone")
        return {name: value for name, value in data.items() if value is not None}

    @field_validator("stop", mode="before")
    @classmethod
    def _one_or_many(cls, stop: object) -> object:
        return (stop,) if isinstance(stop, str) else stop


class CompletionBody(Generate):
    """The body of POST /v1/completions."""

    prompt: PlainText | Annotated[list[TokenId], Field(fail_fast=True)]
    """Text, or token ids."""
    max_tokens: StrictInt = Field(16, ge=1)

    @field_validator("prompt", mode="before")
    @classmethod
    def _single(cls, prompt: object) -> object:
        if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str | list):
            return prompt[0]
        if isinstance(prompt, list) and any(not isinstance(part, int) for part in prompt):
            raise ValueError("one prompt a request: a text, or a list of token ids")
        return prompt


class TextPart(BaseModel):
    """A part of a message; only text is understood."""

    type: Literal["text"]
    text: PlainText


class ChatMessage(BaseModel):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: PlainText | Annotated[list[TextPart], Field(fail_fast=True)]

    @property
    def text(self) -> str:
        """Its content as one text."""
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class ChatBody(Generate):
    """The body of POST /v1/chat/completions."""

    messages: list[ChatMessage] = Field(min_length=1, fail_fast=True)
    max_completion_tokens: StrictInt | None = Field(None, ge=1)
    max_tokens: StrictInt | None = Field(None, ge=1)
    """The older name of max_completion_tokens."""
