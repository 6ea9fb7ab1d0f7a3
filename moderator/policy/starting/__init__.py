"""A first policy folder: small, commented, tested, and ready to decide."""
