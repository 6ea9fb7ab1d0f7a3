"""Health, metrics and the API over HTTP."""

from moderator.http.server import HttpServer

__all__ = ["HttpServer"]
