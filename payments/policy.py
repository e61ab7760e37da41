"""
The policy hook: before a payment begins, a function of the operator's may allow it, deny it, or send it to review.

``PAYMENT_POLICY`` names the function. It gets the ``Move`` as asked for, outside of any transaction, and
returns ``allow``, ``deny`` or ``review``. It may take its time, which is the caller's; where it fails, or
says anything else, nothing is executed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from payments.commands import VERDICTS, Move
from walletplatform.api.problems import Problem

logger = logging.getLogger(__name__)


def judged(move: Move) -> Move:
    """
    Return the move with the policy's verdict.

    :raises Problem: ``unavailable`` where the policy gives none
    """
    if not settings.PAYMENT_POLICY:
        return move
    try:
        verdict = _policy(settings.PAYMENT_POLICY)(move)
        if verdict not in VERDICTS:
            raise ValueError(f"{verdict!r} is none of {', '.join(VERDICTS)}")
    except Exception as error:
        logger.exception("The payment policy failed")
        raise Problem("unavailable", "The payment could not be judged now. Nothing was executed.") from error
    return replace(move, verdict=verdict)


@cache
def _policy(path: str) -> Callable[[Move], str]:
    found: Callable[[Move], str] = import_string(path)
    return found
