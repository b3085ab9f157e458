"""Draws README's picture of the saga from `checkout.py`, between the two markers. `make diagram` runs it."""

from collections.abc import Iterator
from pathlib import Path

from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.definition import Saga, SagaCommand

README = Path(__file__).parents[1] / "README.md"
BEGIN = "<!-- drawn from checkout.py by `make diagram`: begin -->"
END = "<!-- drawn from checkout.py by `make diagram`: end -->"


def redrawn(text: str, saga: Saga) -> str:
    """The text with what is between its markers drawn anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    drawn = ["", "```mermaid", *picture(saga), "```", ""]
    return "\n".join([before + BEGIN, *drawn, END + after])


def picture(saga: Saga) -> Iterator[str]:
    """A mermaid flowchart, downwards: the steps, what each reply leads to, and the way back over the compensations."""
    yield "flowchart TB"
    yield '    request(["POST /checkout"]) --> do0'
    last = len(saga.steps) - 1
    for position, step in enumerate(saga.steps):
        here, undo = f"do{position}", f"undo{position}"
        onward = "completed([COMPLETED])" if position == last else f"do{position + 1}"
        back = "failed([FAILED])" if position == 0 else f"undo{position - 1}"
        name = f"{step.name} (pivot)" if step.pivot else step.name
        yield f'    {here}["{name}<br/>{_command(step.do)}"] -- {step.yes.__name__} --> {onward}'
        if step.no:
            yield f"    {here} -- {step.no.__name__} --> {back}"
        if step.undo and step.undone:
            yield f'    {here} -. no answer .-> {undo}[/"compensation<br/>{_command(step.undo)}"/]'
            yield f"    {undo} -- {step.undone.__name__} --> {back}"


def _command(command: type[SagaCommand]) -> str:
    return f"<b>{command.__name__}</b><br/><i>{command.destination}</i>"


if __name__ == "__main__":
    README.write_text(redrawn(README.read_text(), CHECKOUT))
