"""JSON beside the pages; each module has a `router`."""

from moderator.console.api import labels

ROUTERS = (labels.router,)
