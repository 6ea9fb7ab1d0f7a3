"""A larger model that knows more words: it learns the labels first, and its answers guide the small one."""
