"""What every request passes before FastAPI sees it: HEAD, too many at once, pages of other origins."""

from collections.abc import Awaitable
from http import HTTPStatus

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.problems import RETRY_AFTER_SECONDS, problem_response
from chassis.settings import Settings

METHODS = ("GET", "HEAD", "POST", "PATCH")
EXPOSED = ("Location", "Retry-After")


class Edge:
    """HEAD is GET, whose body the server leaves out; whoever comes when there are too many is told to come later."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app = app
        self.most = most
        self.inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        if self.inside >= self.most and scope["path"] != "/healthz":
            return await _later(scope, receive, send)
        self.inside += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.inside -= 1


def _later(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    return problem_response(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "too many requests at once; try again, with the same id or key",
        headers={"Retry-After": RETRY_AFTER_SECONDS},
    )(scope, receive, send)


class Application(FastAPI):
    """FastAPI, behind the edge."""

    def __init__(self, settings: Settings, **kwargs: object) -> None:
        super().__init__(title=settings.service, **kwargs)  # type: ignore[arg-type]
        self.settings = settings

    def build_middleware_stack(self) -> ASGIApp:
        """Outside of everything that answers, errors too."""
        edge = Edge(super().build_middleware_stack(), self.settings.http_max_connections)
        if not self.settings.cors_allow_origins:
            return edge
        return CORSMiddleware(
            edge,
            allow_origins=self.settings.cors_allow_origins,
            allow_methods=METHODS,
            allow_headers=["*"],
            expose_headers=EXPOSED,
        )
