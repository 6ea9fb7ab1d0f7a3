"""The pages; each module has a `router` and renders templates of its name."""

from moderator.console.pages import decisions, login, overview, playground, policies, why

PAGES = (overview.router, decisions.router, why.router, policies.router, login.router, playground.router)
