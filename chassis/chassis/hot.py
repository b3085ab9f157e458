"""The routes that every saga takes, in front of FastAPI: its middlewares and routing cost more than all we do there.

FastAPI still documents these routes and serves all others.
"""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from starlette.types import Receive, Scope, Send

from chassis.problems import or_problem

Endpoint = Callable[[Request], Awaitable[Response]]


class HotRoutes:
    """An ASGI application around another one."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._routes: dict[tuple[str, str], Endpoint] = {}
        app.state.hot = self

    def add(self, method: str, path: str, endpoint: Endpoint) -> None:
        """Serve exactly this path here."""
        self._routes[method, path] = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI wants it."""
        endpoint = self._find(scope)
        if endpoint is None:
            await self._app(scope, receive, send)
        else:
            scope["app"] = self._app
            request = Request(scope, receive)
            answer = await or_problem(request, endpoint(request))
            await answer(scope, receive, send)

    def _find(self, scope: Scope) -> Endpoint | None:
        return self._routes.get((scope.get("method", ""), scope.get("path", "")))
