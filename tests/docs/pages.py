"""The pages of the documentation, as tests read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


class Page:
    """A page in Markdown."""

    def __init__(self, name: str) -> None:
        self.path = DOCS / name
        self.text = self.path.read_text("utf-8")

    def blocks(self, language: str) -> list[str]:
        """The code blocks of a language."""
        found = re.findall(
            rf"^```{language}\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL
        )  # indented ones are none of ours
        assert found, f"{self.path.name} has no {language}"
        return found

    def block(self, language: str, holding: str) -> str:
        """The one block that holds a text."""
        (found,) = [block for block in self.blocks(language) if holding in block]
        return found

    def files(self) -> dict[str, str]:
        """The blocks that begin with the name of the file that they are to be put into."""
        return {
            match[1]: block
            for language in ("python", "html", "sql")
            for block in self.blocks(language)
            if (match := re.match(r'(?:"""|<!-- |-- )(\w+\.(?:py|html|sql))\b', block))
        }

    def snippets(self) -> list[str]:
        """The Python blocks that are no files, in their order."""
        kept = self.files().values()
        return [block for block in self.blocks("python") if block not in kept]

    def table(self, name: str) -> list[list[str]]:
        """The rows of the table, or of the list, that follows the comment of that name."""
        after = self.text.partition(f"<!-- {name} -->\n")[2].partition("\n\n")[0].splitlines()
        assert after, f"{self.path.name} has no {name}"
        if after[0].startswith("- "):
            return [[row.removeprefix("- ")] for row in after]
        return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in after[2:]]

    def section(self, heading: str) -> str:
        """What stands under a heading."""
        found = re.search(
            rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,6}} |\Z)",
            self.text,
            re.MULTILINE | re.DOTALL,
        )
        assert found, f"{self.path.name} has no heading {heading!r}"
        return found[2]

    def check_links(self) -> None:
        """Links to other pages and to headings lead somewhere."""
        prose = re.sub(r"^```.*?^```$", "", self.text, flags=re.MULTILINE | re.DOTALL)
        for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose):
            file, _, anchor = link.partition("#")
            target = (self.path.parent / file).resolve() if file else self.path
            assert target.exists(), f"{self.path.name} links to {link}"
            if anchor:
                assert anchor in anchors(target.read_text("utf-8")), f"{self.path.name}: {link}"


def anchors(text: str) -> set[str]:
    """What the headings of a page are called in links to them."""
    without_code = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", without_code, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def codes(text: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


def type_in(block: str, names: dict[str, Any]) -> dict[str, Any]:
    """Runs a block in a namespace."""
    exec(compile(block, "a page's block", "exec"), names)
    return names
