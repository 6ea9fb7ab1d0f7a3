"""JSON beside the pages; each module has a `router`."""

from moderator.console.api import backtests, figures, labels, playground

ROUTERS = (figures.router, labels.router, playground.router, backtests.router)
