"""The demonstration: a whole broker, six invented clients, and a story that checks itself."""

from exchange.demo.story import tell

__all__ = ["tell"]
