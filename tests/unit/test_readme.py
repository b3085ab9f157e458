"""What the README and its siblings name exists, and the README's picture is the saga as it is declared."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs import diagram
from kafka_init.topics import declared_topics
from saga_orchestrator.checkout import CHECKOUT
from saga_orchestrator.definition import label_of

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
FUTURE = ROOT / "docs" / "adding-a-step.md"
NAMING = [page for page in PAGES if page != FUTURE]
"""Pages that name only what is there."""
CODE_FOLDERS = [path.parent for path in sorted(ROOT.glob("*/pyproject.toml"))] + [ROOT / "local", ROOT / "docs"]
CODE = "\n".join(file.read_text() for folder in CODE_FOLDERS for file in sorted(folder.rglob("*.py")))


def quoted(text: str) -> list[str]:
    """What stands between backticks in a line."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```", "", text))


def anchors(text: str) -> set[str]:
    """The headings as GitHub links to them."""
    headings = re.findall(r"(?m)^#+ (.+)$", text)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Every relative link, as file and anchor."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" not in target:
            file, _, anchor = target.partition("#")
            yield (page.parent / file if file else page), anchor


def test_the_picture_is_the_saga_as_it_is_declared() -> None:
    text = README.read_text()
    assert text == diagram.redrawn(text, CHECKOUT), "run `make diagram`"


def test_the_picture_shows_every_command_and_every_reply() -> None:
    drawn = "\n".join(diagram.picture(CHECKOUT))
    shown = [kind for step in CHECKOUT.steps for kind in (step.do, step.yes, step.no, step.undo, step.undone) if kind]
    assert [kind.__name__ for kind in shown if kind.__name__ not in drawn] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_named_exists(page: Path) -> None:
    targets = set(re.findall(r"(?m)^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text()))
    code = "\n".join([*quoted(page.read_text()), *re.findall(r"(?ms)^```sh\n(.*?)^```", page.read_text())])
    assert set(re.findall(r"\bmake ([a-z][a-z0-9-]*)", code)) - targets == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = [
        f"{file}#{anchor}"
        for file, anchor in links(page)
        if not file.exists() or (anchor and anchor not in anchors(file.read_text()))
    ]
    assert broken == []


@pytest.mark.parametrize("page", NAMING, ids=lambda page: page.name)
def test_every_file_and_folder_named_exists(page: Path) -> None:
    named = {name for name in quoted(page.read_text()) if re.fullmatch(r"[\w./-]+\.(py|toml|yml|sql|md)", name)}
    folders = set(re.findall(r"(?m)(?<![\w/.])([a-z][\w-]*(?:/[\w-]+)*/)(?=\s|$)", page.read_text()))
    assert [name for name in sorted(named | folders) if not is_in_the_tree(name)] == []


def is_in_the_tree(name: str) -> bool:
    """From the root, or, for a bare name, somewhere in the packages."""
    return (ROOT / name).exists() or any(found for folder in CODE_FOLDERS for found in folder.rglob(name))


@pytest.mark.parametrize("page", NAMING, ids=lambda page: page.name)
def test_every_topic_named_is_declared(page: Path) -> None:
    topics = declared_topics()
    families = {name.partition(".")[0] for name in topics}
    words = (name for name in quoted(page.read_text()) if re.fullmatch(r"[a-z-]+(\.[a-z0-9]+)+", name))
    named = {name for name in words if name.partition(".")[0] in families and not name.endswith((".py", ".md"))}
    assert named - set(topics) == set()


@pytest.mark.parametrize("page", NAMING, ids=lambda page: page.name)
def test_every_function_named_is_defined(page: Path) -> None:
    names = {match[1] for name in quoted(page.read_text()) if (match := re.fullmatch(r"(?:\w+\.)?(\w+)\(\)", name))}
    assert [name for name in sorted(names) if not re.search(rf"\bdef {name}\(", CODE)] == []


@pytest.mark.parametrize("page", NAMING, ids=lambda page: page.name)
def test_every_setting_and_every_state_named_exists(page: Path) -> None:
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", page.read_text()))
    settings = {field.upper() for field in re.findall(r"(?m)^    ([a-z_]+): ", CODE)}
    replies = [reply for step in CHECKOUT.steps for reply in (step.yes, step.no) if reply]
    states = {label_of(reply) for reply in replies} | {step.timed_out for step in CHECKOUT.steps}
    services = "|".join(folder.name.replace("-", "_").upper() for folder in CODE_FOLDERS)
    of_compose = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    reasons = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', CODE))
    known = settings | states | reasons | of_compose
    assert {re.sub(rf"^({services})_", "", name) for name in named} - known == set()


def test_every_setting_is_used() -> None:
    settings = re.findall(
        r"(?m)^    ([a-z_]+): ", "\n".join(p.read_text() for p in sorted(ROOT.glob("*/*/settings.py")))
    )
    assert [name for name in settings if not re.search(rf"\.{name}\b", CODE)] == []
