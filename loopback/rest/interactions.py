"""Interaction callbacks, and the original responses and follow-ups behind an interaction's token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from loopback.interaction import Callback
from loopback.interaction_answers import Answers, callback_answer
from loopback.interaction_form import check_callback
from loopback.interactions import TOKEN_PREFIX
from loopback.rest.app import LOOPBACK, answer, no_content

if TYPE_CHECKING:
    from loopback.interaction import Interaction

routes = web.RouteTableDef()
