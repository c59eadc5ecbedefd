"""POST /v1/completions, POST /v1/chat/completions and GET /v1/models."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response

from inference.api.answering import Answer
from inference.api.errors import GENERATING, RESPONSES, ApiError, invalid
from inference.api.formats import Format
from inference.api.schemas import ChatBody, CompletionBody, Generate
from inference.api.service import Service, ServiceDependency
from inference.engine.engine import EngineUnavailableError
from inference.engine.generation import Prompt, Timeline
from inference.engine.models import LoadedModel
from inference.engine.scheduler import QueueFullError
from inference.engine.tokenizers import ConversationRefusedError
from inference.faults import ERROR, REJECT, WRONG_MODEL
from inference.telemetry.ended import Exchange

router = APIRouter(responses=RESPONSES)


@router.post("/v1/completions", response_model=None)
async def completions(body: CompletionBody, request: Request, service: ServiceDependency) -> Response:
    """Continue a text."""
    timeline = Timeline(time.monotonic())
    model = _model(body, request, service)
    if isinstance(body.prompt, str):
        tokens = await asyncio.to_thread(model.tokenizer.encode, body.prompt)
    else:
        tokens = body.prompt
    prompt = _prompt(body, model, tokens, body.max_tokens, service)
    return await _answer(body, request, service, model, replace(prompt, continues=True), timeline=timeline)


@router.post("/v1/chat/completions", response_model=None)
async def chat_completions(body: ChatBody, request: Request, service: ServiceDependency) -> Response:
    """Continue a conversation."""
    timeline = Timeline(time.monotonic())
    model = _model(body, request, service)
    messages = [{"role": message.role, "content": message.text} for message in body.messages]
    try:
        tokens = await asyncio.to_thread(model.tokenizer.encode_chat, messages)
    except ConversationRefusedError:
        message = "this model's chat template takes no such roles, or not in this order"
        raise invalid(message, "messages") from None
    room = max(1, model.runner.context_length - len(tokens))
    wanted = body.max_completion_tokens or body.max_tokens or min(service.default_max_tokens, room)
    return await _answer(
        body, request, service, model, _prompt(body, model, tokens, wanted, service), timeline=timeline
    )


@router.get("/v1/models")
async def models(service: ServiceDependency) -> dict[str, Any]:
    """The one model that is served."""
    return {"object": "list", "data": [_served(service)]}


@router.get("/v1/models/{name:path}")
async def model(name: str, service: ServiceDependency) -> dict[str, Any]:
    """The same without the list around it; hub ids have slashes."""
    if name != _served_name(service):
        raise _no_such_model(service)
    return _served(service)


def _served(service: Service) -> dict[str, Any]:
    """The model in OpenAI's shape; what only a loaded one knows is absent before."""
    entry: dict[str, Any] = {
        "id": _served_name(service),
        "object": "model",
        "created": service.created,
        "owned_by": "inferwatch",
    }
    try:
        loaded = service.engine.model
    except EngineUnavailableError:
        return entry
    entry["max_model_len"] = loaded.runner.context_length
    entry["system_fingerprint"] = loaded.fingerprint
    if loaded.note:
        entry["note"] = loaded.note
    return entry


def _model(body: Generate, request: Request, service: Service) -> LoadedModel:
    """The model that the client asked for.

    Raises:
        ApiError: It is not served, or not at this moment.
    """
    exchange: Exchange = request.state.exchange
    exchange.model = body.model if body.model is not None else service.model_name
    if exchange.model != _served_name(service):
        raise _no_such_model(service)
    if service.faults.strikes(ERROR):
        raise ApiError(500, "internal_error", "the fault 'error' is switched on")
    try:
        return service.engine.model
    except EngineUnavailableError as error:
        raise _unavailable(error) from None


def _no_such_model(service: Service) -> ApiError:
    message = f"there is no such model; this service has {_served_name(service)}"
    return ApiError(404, "invalid_request", message, code="model_not_found", param="model", rejection="unknown_model")


def _served_name(service: Service) -> str:
    return "wrong-model" if service.faults.is_on(WRONG_MODEL) else service.model_name


def _prompt(body: Generate, model: LoadedModel, tokens: Sequence[int], max_tokens: int, service: Service) -> Prompt:
    """The request as the engine takes it.

    Raises:
        ApiError: It is empty, too long, or not made of this model's tokens.
    """
    limit = model.runner.context_length
    if not tokens:
        raise invalid("the prompt is empty", "prompt")
    if service.max_prompt_tokens and len(tokens) > service.max_prompt_tokens:
        message = f"the prompt of {len(tokens)} tokens is longer than {service.max_prompt_tokens}"
        code = "context_length_exceeded"
        raise ApiError(400, code, message, code=code, param="prompt", rejection="prompt_too_long")
    if len(tokens) + max_tokens > limit:
        message = f"{len(tokens)} prompt tokens and max_tokens {max_tokens} exceed the context of {limit} tokens"
        code = "context_length_exceeded"
        raise ApiError(400, code, message, code=code, rejection="prompt_too_long")
    if max(tokens) >= model.runner.vocabulary_size:
        raise invalid(f"token ids end at {model.runner.vocabulary_size - 1}", "prompt")
    return Prompt(tuple(tokens), max_tokens, body.temperature, body.top_p, body.seed, body.stop)


async def _answer(  # noqa: PLR0913 - what the two endpoints have in common
    body: Generate, request: Request, service: Service, model: LoadedModel, prompt: Prompt, *, timeline: Timeline
) -> Response:
    exchange: Exchange = request.state.exchange
    try:
        if service.faults.strikes(REJECT):
            raise QueueFullError
        generation = service.engine.submit(prompt, timeline)
    except QueueFullError:
        message = "too many requests wait already; try again later"
        raise ApiError(429, "queue_full", message, code="queue_full", rejection="queue_full") from None
    except EngineUnavailableError as error:
        raise _unavailable(error) from None
    form = Format(GENERATING[exchange.path], service.model_name, model.fingerprint)
    answer = Answer(service, generation, form, exchange)
    if body.stream:
        return await answer.stream(request, include_usage=body.stream_options.include_usage)
    return await answer.whole(request)


def _unavailable(error: EngineUnavailableError) -> ApiError:
    return ApiError(503, "engine_dead", str(error), code="engine_unavailable", rejection="engine_unavailable")
