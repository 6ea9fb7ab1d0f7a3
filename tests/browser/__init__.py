"""A package, so that Playwright ends with its last test: until then a test process has its event loop."""
