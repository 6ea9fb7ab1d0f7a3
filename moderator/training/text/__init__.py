"""The tokenizer of the practice model, and texts as batches of token ids."""
