"""The studio: what is drawn and looked at, and what stops it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any

from core.errors import StudioError, WorkerDied, WorkerError, WorkerOverdue, WorkerOverMemory
from core.events import FeatureLocked
from core.studio.comfyui import ComfyUI, Drawing, Progress
from core.studio.comfyui_http import GARBAGE
from core.studio.limits import Limits
from core.studio.pictures import Picture, fit, look_at
from core.studio.workflow import Wish, fill, read_workflow
from core.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from core.config.studio import StudioSection
    from core.hub import Hub
    from core.machine.lane import Lane, Owner

_log = logging.getLogger(__name__)

VISION = "vision"
DRAWING = "image_generation"

NOT_SET_UP = "I cannot draw here: [studio.comfyui] workflow names no workflow file yet."
EMPTY = "Tell me what to draw."
TOO_LONG = "That is {length} characters; I draw what fits into {limit}."
BUSY = "{count} drawing(s) are waiting already. Please try again in a while."
GAVE_WAY = "I stopped drawing, because something else needs the machine now. Please ask me again later."
CLOSING = "I stopped drawing, because I am being stopped myself. Please ask me again when I am back."
LOOKING = "I am looking at {count} other messages' pictures already. Please try again in a moment."
LOOKING_FOR_YOU = "I am still looking at the pictures you sent before. Please send these again afterwards."
TOO_MUCH_WORK = "That file takes too much time or memory to look at. Please send a smaller one."
NOT_LOOKED_AT = "I could not look at that file: what I open pictures with was ended by it. Please send another one."
NOT_FITTED = "The picture is ready, but it could not be made small enough to upload here."
SEEDS = 2**32


class Studio:
    """Draws with ComfyUI and makes pictures ready for a model that sees. Lives on the runtime as `runtime.studio`.

    A drawing that is under way when its feature is locked is stopped, at the server too.
    """

    def __init__(
        self,
        section: StudioSection,
        workflow: Path | None,
        hub: Hub,
        strangers: Lane,
        *,
        gives_way: Callable[[], bool] = lambda: False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Name the parts; nothing is opened.

        Args:
            section: `[studio]`.
            workflow: The workflow file; None draws nothing.
            hub: Where it hears that drawing gives way.
            strangers: Where what strangers sent is unpacked.
            gives_way: Whether drawing is locked at this moment: it may have become so since it was asked for.
            environ: Where the values of secret headers are looked up.
        """
        self._section = section
        self._workflow = workflow
        self._strangers = strangers
        self._looking: list[Owner] = []
        self._gives_way = gives_way
        self._comfyui = ComfyUI(section.comfyui, environ)
        self._drawings = Tasks("drawings")
        self._underway: set[asyncio.Task[None]] = set()
        self._closing = False
        self._hub = hub
        hub.subscribe(FeatureLocked, self._stop_for, owner=self)

    @property
    def draws(self) -> bool:
        """Whether drawing is set up."""
        return self._workflow is not None

    async def close(self) -> None:
        """Stop what is being drawn, at the server too."""
        self._closing = True
        self._hub.drop(self)
        await self._drawings.cancel_all()

    async def draw(self, prompt: str, *, seed: int | None = None) -> AsyncGenerator[Progress | Drawing]:
        """Progress as it comes, then the picture. Closing the generator stops the drawing.

        Raises:
            StudioError: Nothing is set up, the prompt is none, too many wait, or ComfyUI fails; one sentence each.
        """
        workflow = await self._filled(prompt.strip(), secrets.randbelow(SEEDS) if seed is None else seed)
        if self._gives_way():
            raise StudioError(GAVE_WAY)
        if len(self._underway) >= self._section.comfyui.max_waiting:
            raise StudioError(BUSY.format(count=len(self._underway)))
        told: asyncio.Queue[Progress | Drawing | StudioError] = asyncio.Queue()
        task = self._drawings.start(self._pump(workflow, told))
        self._underway.add(task)
        try:
            while True:
                item = await told.get()
                if isinstance(item, StudioError):
                    raise item
                yield item
                if isinstance(item, Drawing):
                    return
        finally:
            self._underway.discard(task)
            task.cancel()
            await asyncio.wait([task])

    @contextmanager
    def looking(self, owner: Owner) -> Generator[None]:
        """While somebody's pictures are fetched and looked at. Of all that is bounded, of each person it is one at a time.

        Raises:
            StudioError: They, or too many others, wait already.
        """
        if owner.user_id and any(each.user_id == owner.user_id for each in self._looking):
            raise StudioError(LOOKING_FOR_YOU)
        if len(self._looking) >= self._section.max_looks:
            raise StudioError(LOOKING.format(count=len(self._looking)))
        self._looking.append(owner)
        try:
            yield
        finally:
            self._looking.remove(owner)

    async def look(self, files: Sequence[bytes], owner: Owner | None = None) -> list[Picture]:
        """The pictures and frames in some files, small enough for a model; at most `[studio] max_pictures`.

        Raises:
            StudioError: A file is none, is damaged, is too large, or takes too long.
            WorkersBusy: Too many others look at something.
        """
        section = self._section
        limits = Limits(
            max_pictures=max(1, section.max_pictures // max(1, len(files))),
            max_file_mb=section.max_file_mb,
            max_megapixels=section.max_megapixels,
            max_side_px=section.max_side_px,
            max_video_s=section.max_video_s,
            max_total_megapixels=section.max_total_megapixels,
        )
        found: list[Picture] = []
        for data in files[: section.max_pictures]:
            try:
                found += await self._strangers.run(look_at, data, limits, owner=owner)
            except (WorkerOverdue, WorkerOverMemory) as error:
                raise StudioError(TOO_MUCH_WORK) from error
            except WorkerDied as error:
                raise StudioError(NOT_LOOKED_AT) from error
        return found

    async def fitted(self, drawing: Drawing, limit_bytes: int) -> tuple[bytes, str]:
        """A drawing that may be uploaded, and the name of its file.

        Raises:
            StudioError: It cannot be made small enough.
        """
        if len(drawing.data) <= limit_bytes:
            return drawing.data, drawing.name
        try:
            data, media_type = await self._strangers.run(fit, drawing.data, limit_bytes)
        except WorkerError as error:
            raise StudioError(NOT_FITTED) from error
        return data, f"{drawing.name.rpartition('.')[0] or 'drawing'}.{media_type.partition('/')[2]}"

    async def _filled(self, prompt: str, seed: int) -> dict[str, Any]:
        section = self._section.comfyui
        if self._workflow is None:
            raise StudioError(NOT_SET_UP)
        if not prompt:
            raise StudioError(EMPTY)
        if len(prompt) > section.max_prompt_chars:
            raise StudioError(TOO_LONG.format(length=len(prompt), limit=section.max_prompt_chars))
        workflow = await asyncio.to_thread(read_workflow, self._workflow)
        return fill(workflow, Wish(prompt, seed, section.width, section.height, section.negative))

    async def _pump(self, workflow: dict[str, Any], told: asyncio.Queue[Progress | Drawing | StudioError]) -> None:
        """Draw in a task of its own, so that a lock can stop it from outside."""
        try:
            async with aclosing(self._comfyui.draw(workflow)) as items:
                async for item in items:
                    told.put_nowait(item)
        except StudioError as error:
            told.put_nowait(error)
        except asyncio.CancelledError:
            told.put_nowait(StudioError(CLOSING if self._closing else GAVE_WAY))
            raise
        except Exception:  # noqa: BLE001 - whoever waits for the picture must not wait for ever; the log has the cause
            _log.exception("ComfyUI was not understood")
            told.put_nowait(StudioError(GARBAGE.format(address=self._comfyui.address)))

    def _stop_for(self, event: FeatureLocked) -> None:
        if event.feature == DRAWING:
            for task in self._underway:
                _log.info("%s is stopped: drawing gives way", task.get_name())
                task.cancel()
