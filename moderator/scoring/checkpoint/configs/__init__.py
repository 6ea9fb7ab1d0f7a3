"""What a checkpoint's `config.json` says of each kind of model, checked once."""
