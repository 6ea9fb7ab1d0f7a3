"""The pages; each module has a `router` and renders templates of its name."""

from moderator.console.pages import backtest, decisions, login, overview, playground, policies, review, why

PAGES = tuple(page.router for page in (overview, decisions, why, policies, playground, backtest, review, login))
