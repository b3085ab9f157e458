"""The routes that every saga takes, in front of FastAPI: its middlewares and routing cost more than all we do there.

FastAPI still documents these routes and serves all others.
"""

import re
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.convertors import Convertor
from starlette.routing import compile_path
from starlette.types import Receive, Scope, Send

from chassis.problems import problem_of

Endpoint = Callable[..., Awaitable[Response]]
Convertors = dict[str, Convertor[Any]]


class HotRoutes:
    """An ASGI application around another one."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._routes: defaultdict[str, list[tuple[re.Pattern[str], Convertors, Endpoint]]] = defaultdict(list)
        app.state.hot = self

    def add(self, method: str, path: str, endpoint: Endpoint) -> None:
        """Serve this one here: `endpoint(request=…)`, with the parts of a path such as `/orders/{order_id:uuid}`."""
        pattern, _, convertors = compile_path(path)
        self._routes[method].append((pattern, convertors, endpoint))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI wants it."""
        endpoint, parts = self._find(scope)
        if endpoint is None:
            await self._app(scope, receive, send)
        else:
            scope["app"] = self._app
            answer = await _answer(endpoint, Request(scope, receive), parts)
            await answer(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[Endpoint | None, dict[str, Any]]:
        for pattern, convertors, endpoint in self._routes.get(scope.get("method", ""), ()):
            if found := pattern.match(scope["path"]):
                return endpoint, {name: convertors[name].convert(text) for name, text in found.groupdict().items()}
        return None, {}


async def _answer(endpoint: Endpoint, request: Request, parts: dict[str, Any]) -> Response:
    try:
        return await endpoint(request=request, **parts)
    except Exception as error:
        return problem_of(request, error)
