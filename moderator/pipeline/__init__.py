"""What happens, in what order; knows ports, never clients."""
