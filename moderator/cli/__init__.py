"""One file per command; thin. This one gathers them and turns errors into exit codes."""
