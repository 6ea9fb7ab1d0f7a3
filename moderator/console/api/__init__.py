"""JSON beside the pages; each module has a `router`."""

from moderator.console.api import backtests, labels, playground

ROUTERS = (labels.router, playground.router, backtests.router)
