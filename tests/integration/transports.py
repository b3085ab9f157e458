"""Ways out that lead nowhere, each with a manner of its own."""

import asyncio

from chassis.messages import Message

Sent = asyncio.Future[None]


class AcknowledgesNothing:
    """It keeps what it was handed."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def send(self, message: Message) -> Sent:
        self.messages.append(message)
        return Sent()

    async def close(self) -> None:
        return


class AcknowledgesAtOnce(AcknowledgesNothing):
    """Whatever it was handed."""

    async def send(self, message: Message) -> Sent:
        sent = await super().send(message)
        sent.set_result(None)
        return sent


class RefusesTheFirst(AcknowledgesAtOnce):
    """It does not take it."""

    async def send(self, message: Message) -> Sent:
        sent = await super().send(message)
        return sent if len(self.messages) > 1 else self.lose()

    def lose(self) -> Sent:
        raise OSError("not now")


class FailsWithTheFirst(RefusesTheFirst):
    """It takes it, and cannot deliver it."""

    def lose(self) -> Sent:
        sent = Sent()
        sent.set_exception(OSError("not now"))
        return sent


class GivesTheFirstUp(RefusesTheFirst):
    """It takes it, and waits for the receiver's word no longer."""

    def lose(self) -> Sent:
        sent = Sent()
        sent.cancel()
        return sent
