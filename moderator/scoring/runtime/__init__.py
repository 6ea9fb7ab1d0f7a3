"""How a model computes: device, attention, passes, memory, noise."""
