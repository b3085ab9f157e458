"""HTTP: many commands in one request, as the orchestrator sends them."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import Field, RootModel, ValidationError

from chassis.batcher import Batcher
from chassis.bodies import parse
from chassis.http import json_response, trace_from
from chassis.messages import Message, Wire
from chassis.openapi import BODY_PROBLEMS, request_body, responses
from chassis.problems import problem_of, wrong_values
from order_service.api import answer
from order_service.messages import CreateOrder, SetOrderStatus
from order_service.orders import Command, Order

COMMANDS: dict[str, type[Command]] = {"CreateOrder": CreateOrder, "SetOrderStatus": SetOrderStatus}


MOST_COMMANDS = 100
"""In one request; the orchestrator's ORDER_CALL_MAX_COMMANDS may be as many."""


class Enveloped(Wire):
    """One command of POST /orders/batch, with what a request of its own says in its headers."""

    message_id: UUID
    traceparent: str | None = None
    type: Literal["CreateOrder", "SetOrderStatus"]
    body: dict[str, Any]

    def command(self) -> Command:
        """What is to be done."""
        return COMMANDS[self.type].model_validate(self.body)


class Batch(RootModel[Annotated[list[Any], Field(max_length=MOST_COMMANDS)]]):
    """Body of POST /orders/batch; each command is looked at alone, so that a wrong one spoils no other."""


class Answer(Wire):
    """What one command of a batch would have been answered in a request of its own."""

    status: int
    body: dict[str, Any]


def routes(batcher: Batcher[Order]) -> APIRouter:
    """The one route of a saga's calls."""
    router = APIRouter()

    @router.post(
        "/orders/batch",
        status_code=HTTPStatus.MULTI_STATUS,
        response_model=list[Answer],
        openapi_extra=request_body(Enveloped, many=True),
        responses=responses(BODY_PROBLEMS),
    )
    async def take(request: Request) -> Response:
        commands = (await parse(request, Batch)).root
        answers = await asyncio.gather(*(take_one(request, command) for command in commands))
        content = [{"status": each.status_code, "body": orjson.Fragment(each.body)} for each in answers]
        return json_response(content, HTTPStatus.MULTI_STATUS)

    async def take_one(request: Request, each: Any) -> Response:
        try:
            return await answer(batcher, read(each))
        except Exception as error:  # is the answer to this command alone
            return problem_of(request, error)

    return router


def read(each: Any) -> Message:
    """A command of a batch, in its message; 422 for what is none."""
    try:
        enveloped = Enveloped.model_validate(each)
        command = enveloped.command()
    except ValidationError as error:
        raise wrong_values(error) from None
    return Message(command, enveloped.message_id, traceparent=trace_from(enveloped.traceparent))
