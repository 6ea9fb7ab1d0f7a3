"""Train a small ArmoRM checkpoint on labelled chats, offline; serving never imports it."""
