"""Text to token ids and back: a byte-level tokenizer of our own, or the one that came with a model.

Decoding is incremental: a token may hold half a character, and a stream must never show half a character.
"""

import codecs
from collections.abc import Sequence
from typing import Protocol

from jinja2 import TemplateError
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.decoders import DecodeStream
from transformers import PreTrainedTokenizerBase

Message = dict[str, str]
"""A chat message: its `role` and its `content`."""

BOS, EOS = 256, 257
VOCABULARY_SIZE = 258


_CONTEXT_TOKENS = 8
"""So many tokens before an answer decide how its first one is written: with a space before it, or not."""


class ConversationRefusedError(ValueError):
    """The model's chat template does not take a conversation."""


class Decoder(Protocol):
    """Turns the tokens of one answer into text, one by one."""

    def push(self, token: int) -> str:
        """The characters that `token` completes; empty while a character is incomplete."""


class Tokenizer(Protocol):
    """What the service needs of a tokenizer. Safe to use from several threads."""

    def encode(self, text: str) -> list[int]:
        """Token ids of a plain prompt, with the model's start token where it has one."""

    def encode_chat(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a conversation, up to where the assistant's answer begins.

        Raises:
            ConversationRefusedError: By the model's template: it knows no such role, or no such order.
        """

    def decoder(self, after: Sequence[int] = ()) -> Decoder:
        """A fresh decoder for one answer; `after` are the tokens whose text it goes on in, where it does."""


def plain_chat(messages: Sequence[Message]) -> str:
    """A conversation as text, for models that bring no chat template."""
    lines = [f"{message['role']}: {message['content']}\n" for message in messages]
    return "".join([*lines, "assistant: "])


class ByteTokenizer:
    """One token per byte of UTF-8, and two more: start and end."""

    def encode(self, text: str) -> list[int]:
        """The start token, then the bytes."""
        return [BOS, *text.encode()]

    def encode_chat(self, messages: Sequence[Message]) -> list[int]:
        """The conversation as plain text."""
        return self.encode(plain_chat(messages))

    def decoder(self, after: Sequence[int] = ()) -> Decoder:
        """A decoder that replaces bytes which are no UTF-8 by U+FFFD."""
        return _ByteDecoder()


class _ByteDecoder:
    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token: int) -> str:
        return self._utf8.decode(bytes([token])) if token < BOS else ""


class PretrainedTokenizer:
    """The tokenizer that came with a model; needs its fast form.

    Raises:
        ValueError: The model brings only a slow (pure Python) tokenizer.
    """

    def __init__(self, pretrained: PreTrainedTokenizerBase) -> None:
        fast = getattr(pretrained, "backend_tokenizer", None)
        if not isinstance(fast, FastTokenizer):
            raise ValueError("the model brings no fast tokenizer (tokenizer.json); convert it with transformers first")
        self._pretrained = pretrained
        self._fast = fast

    def encode(self, text: str) -> list[int]:
        """Token ids, with the special tokens that this model starts with."""
        return list(self._fast.encode(text).ids)

    def encode_chat(self, messages: Sequence[Message]) -> list[int]:
        """Through the model's own chat template where it has one."""
        if not self._pretrained.chat_template:
            return self.encode(plain_chat(messages))
        try:
            text = self._pretrained.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
        except TemplateError as error:
            raise ConversationRefusedError from error
        return list(self._fast.encode(str(text), add_special_tokens=False).ids)

    def decoder(self, after: Sequence[int] = ()) -> Decoder:
        """A decoder that leaves special tokens out."""
        before = list(after[-_CONTEXT_TOKENS:])
        # Half a character would come out again with its other half, and everything before it.
        whole = not self._fast.decode(before).endswith("\ufffd")
        return _StreamDecoder(self._fast, before if whole else [])


class _StreamDecoder:
    def __init__(self, fast: FastTokenizer, before: list[int]) -> None:
        self._fast = fast
        self._stream = DecodeStream(ids=before, skip_special_tokens=True)

    def push(self, token: int) -> str:
        return self._stream.step(self._fast, token) or ""
