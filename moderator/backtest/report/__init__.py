"""The report of a backtest: values, the document made of them, and its writers for text and HTML."""
