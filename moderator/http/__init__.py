"""Health, readiness and metrics over HTTP."""

from moderator.http.app import create_app
from moderator.http.server import HttpServer

__all__ = ["HttpServer", "create_app"]
