"""Logs for operators: constant events, keys from a list, nothing else passes."""

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog

LOGGABLE = frozenset(
    {
        "event",
        "level",
        "timestamp",
        "problem",
        "failure",
        "code",
        "delivery",
        "count",
        "seconds",
        "address",
        "version",
        "index",
    }
)
"""The only keys that are rendered. What is not on the list is dropped before anybody sees it."""


def only_listed(
    _logger: Any, _method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Drop every key that is not on the list."""
    return {key: value for key, value in line.items() if key in LOGGABLE}


def without_words(record: logging.LogRecord) -> bool:
    """For the lines of a library: an exception's words may hold what was sent, its kind may not.

    The kind is in our own line for the request.
    """
    record.exc_info = record.exc_text = None
    return True


structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        only_listed,
        structlog.processors.JSONRenderer(sort_keys=True),
    ],
)
log = structlog.get_logger()
