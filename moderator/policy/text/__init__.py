"""Text signals: a text in, numbers out; pure. The only package that imports the libraries that search texts."""
