"""The effect chooser: tiles, and below them the options of the chosen effect."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeySequence, QShortcut
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QMenu, QVBoxLayout, QWidget

from app.compose.backgrounds import Background, bundled
from app.files import named
from app.gui import dialogs, library
from app.gui.controls import Name, NumberSlider, Push, SettingChoice, label
from app.gui.jobs import Jobs
from app.gui.theme import GRID
from app.gui.tiles import THUMBNAIL, Swatch, Tile
from app.gui.wording import LABELS
from app.problems import EffectError, Problem
from app.settings import Settings

COLUMNS = 3

_DRAWN = QSize(THUMBNAIL.width() * 2, THUMBNAIL.height() * 2)
"""Thumbnails' size in pixels, sharp up to a scale of 2."""

SWATCHES = ("#00b140", "#0047bb", "#1f2933", "#e8e4dc", "#7a5c8e", "#b5493b")
"""Chroma green and blue as studios paint them, then neutral and warm walls."""


class Effects(QWidget):
    """Chooses the effect.

    Attributes:
        chosen: changes to the settings, as a dictionary.
        failed: a `Problem` for the user.
    """

    chosen = Signal(dict)
    failed = Signal(object)

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self._jobs = jobs
        self._settings = Settings()
        self._bundled: list[Background] = []
        self._video = ""
        self._pictures: dict[str, Tile] = {}
        self.blur = self._tile("blur", "Blur", "Blur the room behind you (Ctrl+B).")
        self.video = self._tile("video", "Video", "A video plays behind you.")
        self.colour = self._tile("colour", "Colour", "A plain colour behind you.")
        self.alpha = self._tile("alpha", "Cut-out", "For OBS: green in calls, transparent in recorded files.")
        self.none = self._tile("none", "No effect", "Show the room as it is; asks you first.")
        self.add = self._tile("add", "Add picture", "Put a picture of your own behind you.")
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(GRID)
        self._grid.setVerticalSpacing(GRID // 4)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self.options = Options()
        self.options.chosen.connect(self.chosen)
        self.options.video_asked.connect(self._choose_video)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID + GRID // 2)
        layout.addLayout(self._grid)
        self._arrange()  # before the options are added, so that Tab comes to the tiles first
        layout.addWidget(self.options)

    def refresh(self) -> None:
        """Look for the bundled pictures, beside the window."""
        self._jobs.run(lambda: list(bundled().values()), self.offer, self._not_found)

    def offer(self, backgrounds: list[Background]) -> None:
        """Offer these bundled pictures, beside the user's own."""
        self._bundled = backgrounds
        self._arrange()
        self.show_settings(self._settings)

    def tiles(self) -> list[Tile]:
        """All tiles in their order."""
        return [self.blur, *self._pictures.values(), self.add, self.video, self.colour, self.alpha, self.none]

    def picture(self, name: str) -> Tile:
        """The tile of a bundled name or a file."""
        return self._pictures[name]

    def show_settings(self, settings: Settings) -> None:
        """Show what is chosen."""
        self._settings = settings
        if settings.image and settings.image not in self._pictures and settings.effect == "image":
            self._arrange()
        for tile in self.tiles():
            tile.setChecked(tile.isCheckable() and tile.kind == settings.effect)
        for name, tile in self._pictures.items():
            tile.setChecked(settings.effect == "image" and name == settings.image)
        self.colour.show_colour(settings.colour)
        self._show_video(settings.video)
        self.options.show_settings(settings)

    def _tile(self, kind: str, title: str, help: str) -> Tile:
        tile = Tile(kind, title, help)
        tile.clicked.connect(lambda: self._pick(kind))
        return tile

    def _arrange(self) -> None:
        """Lay the tiles out again, with pictures that came or without those that went."""
        entries = {b.name: (b.title, b.path) for b in self._bundled}
        entries |= {str(path): (library.title(path), path) for path in library.pictures()}
        chosen = self._settings.image
        if self._settings.effect == "image" and chosen and chosen not in entries and "/" in Path(chosen).as_posix():
            entries[chosen] = (Path(chosen).stem, Path(chosen))
        for name in [name for name in self._pictures if name not in entries]:
            self._pictures.pop(name).deleteLater()
        for name, (title, path) in entries.items():
            if name not in self._pictures:
                self._pictures[name] = self._picture_tile(name, title, path)
        self._pictures = {name: self._pictures[name] for name in entries}
        previous: QWidget | None = None
        for index, tile in enumerate(self.tiles()):
            self._grid.addWidget(tile, index // COLUMNS, index % COLUMNS)
            if previous is not None:
                QWidget.setTabOrder(previous, tile)
            previous = tile

    def _picture_tile(self, name: str, title: str, path: Path) -> Tile:
        tile = Tile("image", title, f"Put “{title}” behind you.")
        tile.clicked.connect(lambda: self.chosen.emit({"effect": "image", "image": name, "show_room": False}))
        if path.parent == library.folder():
            tile.setToolTip(f"Put “{title}” behind you. Right-click, or press Delete, to remove it.")
            delete = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), tile, lambda: self.remove_picture(path))
            delete.setContext(Qt.ShortcutContext.WidgetShortcut)
            tile.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
            tile.customContextMenuRequested.connect(lambda at: self._menu(tile, path, at))
        self._jobs.run(lambda: library.thumbnail(path, _DRAWN), partial(self._show_thumbnail, name), self._unreadable)
        return tile

    def _show_thumbnail(self, name: str, image: QImage) -> None:
        if name in self._pictures:  # it may have been removed meanwhile
            self._pictures[name].show_thumbnail(image)

    def _show_video(self, video: str) -> None:
        """Show the video's first picture on its tile."""
        if video == self._video:
            return
        self._video = video
        self.video.show_thumbnail(QImage())
        if video:
            path = named(video)
            # Whether it can be played is the pipeline's to say; here a film's icon stands in.
            show = partial(self._show_video_thumbnail, video)
            self._jobs.run(lambda: library.video_thumbnail(path, _DRAWN), show, lambda _: None)

    def _show_video_thumbnail(self, video: str, image: QImage) -> None:
        if video == self._video:  # another may have been chosen meanwhile
            self.video.show_thumbnail(image)

    def _unreadable(self, error: Exception) -> None:
        self.failed.emit(EffectError(f"A thumbnail could not be made ({error}).", "Choose another picture.").problem)

    def _not_found(self, error: Exception) -> None:
        self.failed.emit(Problem("effect", "The bundled pictures cannot be shown.", str(error)))

    def _menu(self, tile: Tile, path: Path, at: QPoint) -> None:
        menu = QMenu(self)
        menu.addAction("Remove this picture", lambda: self.remove_picture(path))
        menu.exec(tile.mapToGlobal(at))

    def remove_picture(self, path: Path) -> None:
        """Remove one of the user's own pictures; if it is chosen, the room is blurred instead."""
        try:
            library.remove(path)
        except EffectError as error:
            self.failed.emit(error.problem)
        else:
            if self._settings.image == str(path):
                shown = self._settings.effect == "image"
                self.chosen.emit({"image": ""} | ({"effect": "blur", "show_room": False} if shown else {}))
        self._arrange()

    def _pick(self, kind: str) -> None:
        if kind == "add":
            self._choose_picture()
        elif kind == "video" and not self._settings.video:
            self._choose_video()
        elif kind == "none":
            if self._settings.effect != "none" and dialogs.may_show_room(self):
                self.chosen.emit({"effect": "none", "show_room": True})
        else:
            self.chosen.emit({"effect": kind, "show_room": False})

    def _choose_picture(self) -> None:
        path = dialogs.ask_file(self, "Choose a background picture", dialogs.PICTURES)
        if path is not None:
            self.add_picture(path)

    def add_picture(self, path: Path) -> None:
        """Keep a picture for good, copied beside the window, and put it behind the user.

        If they choose another effect while it is copied, it is only offered.
        """
        before = (self._settings.effect, self._settings.image)
        self._jobs.run(lambda: library.add(path), lambda copy: self._added(copy, before), self._not_added)

    def _added(self, copy: Path, before: tuple[str, str]) -> None:
        self._arrange()
        if before == (self._settings.effect, self._settings.image):
            self.chosen.emit({"effect": "image", "image": str(copy), "show_room": False})

    def _not_added(self, error: Exception) -> None:
        if isinstance(error, EffectError):
            self.failed.emit(error.problem)
        else:
            self.failed.emit(Problem("effect", f"The picture could not be added ({error!r}).", "Choose another."))

    def _choose_video(self) -> None:
        path = dialogs.ask_file(self, "Choose a background video", dialogs.VIDEOS)
        if path is not None:
            self.chosen.emit({"effect": "video", "video": str(path), "show_room": False})


class Options(QWidget):
    """The options of the chosen effect; only they are shown."""

    chosen = Signal(dict)
    video_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._colour = ""
        self.blur = NumberSlider("blur")
        self.blur.chosen.connect(self._changed)
        self.fit = SettingChoice("fit")
        self.fit.chosen.connect(self._changed)
        self.fit_row = labelled(self.fit, LABELS["fit"])
        self.video_button = Push("Choose another &video…")
        self.video_button.clicked.connect(self.video_asked)
        self.colours = self._colour_row()
        self.note = label("", "small", wrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID)
        for widget in (self.blur, self.fit_row, self.video_button, self.colours, self.note):
            layout.addWidget(widget)

    def show_settings(self, settings: Settings) -> None:
        """Show the options of the settings' effect."""
        effect = settings.effect
        self._colour = settings.colour
        self.blur.show_value(settings.blur)
        self.fit.show_value(settings.fit)
        self.blur.setVisible(effect == "blur")
        self.fit_row.setVisible(effect in ("image", "video"))
        self.video_button.setVisible(effect == "video")
        self.colours.setVisible(effect in ("colour", "alpha"))
        for swatch in self.swatches:
            swatch.setChecked(swatch.colour == settings.colour)
        self.note.setText(Path(settings.video).name if effect == "video" else "")
        self.note.setVisible(effect == "video")
        self.setVisible(effect != "none")

    def _changed(self, name: str, value: Any) -> None:
        self.chosen.emit({name: value})

    def _colour_row(self) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID // 2)
        self.swatches = [self._swatch(colour) for colour in SWATCHES]
        for swatch in self.swatches:
            layout.addWidget(swatch)
        layout.addStretch()
        self.custom = Push("Ot&her…")
        self.custom.setAccessibleName("Other colour")
        self.custom.clicked.connect(self._ask_colour)
        layout.addWidget(self.custom)
        return row

    def _swatch(self, colour: str) -> Swatch:
        swatch = Swatch(colour)
        swatch.clicked.connect(lambda: self.chosen.emit({"colour": colour}))
        return swatch

    def _ask_colour(self) -> None:
        colour = dialogs.ask_colour(self, QColor(self._colour))
        if colour is not None:
            self.chosen.emit({"colour": colour})


def labelled(widget: QWidget, text: str) -> QWidget:
    """A control with its name at the left."""
    row = QWidget()
    name = Name(text, widget)
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(GRID)
    layout.addWidget(name, 2)
    layout.addWidget(widget, 3)
    return row
