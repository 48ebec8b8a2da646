"""The files that buyers download: ZIP archives, made of the pictures in `pages/static/art`.

A real shop has its files already, in a folder (`LocalFiles`) or with a provider that serves them at
signed addresses (`SignedUrls`).
"""

from __future__ import annotations

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from .catalog import ITEMS, Item

ART = Path(__file__).parent / "pages" / "static" / "art"

SIZES = {"A4": (210, 280), "A3": (297, 396), "A2": (420, 560)}  # of the picture, in millimetres

LESSONS = ("The frame", "The mesh", "The stencil", "The squeegee", "Two colours", "Cleaning up")


def pack(folder: Path) -> None:
    """Puts each product's file where `LocalFiles` looks for it: `folder/<type>/<id>.zip`."""
    for item in ITEMS:
        if item.product.ref.type == "plan":  # it opens the files of others
            continue
        path = folder / item.product.ref.type / f"{item.product.ref.id}.zip"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")  # a start that breaks off leaves no broken file
        with ZipFile(unfinished, "w", ZIP_DEFLATED) as archive:
            for name, content in _contents(item).items():
                archive.writestr(name, content)
        unfinished.replace(path)


def _contents(item: Item) -> dict[str, str]:
    id, title = item.product.ref.id, item.product.title
    if item.product.ref.type == "course":
        return {
            f"lesson-{number}.txt": f"{title}\nLesson {number}: {lesson}\n"
            for number, lesson in enumerate(LESSONS, 1)
        }
    picture = (ART / f"{id}.svg").read_text("utf-8")
    sizes = {f"{id}-{size}.svg": _sized(picture, *mm) for size, mm in SIZES.items()}
    return {**sizes, "LICENCE.txt": f"{title}: print it as often as you like, for yourself.\n"}


def _sized(picture: str, width: int, height: int) -> str:
    """The picture with a size on paper."""
    return picture.replace("<svg ", f'<svg width="{width}mm" height="{height}mm" ', 1)
