"""Several workers under one parent process."""
