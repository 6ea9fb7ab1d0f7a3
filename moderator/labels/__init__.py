"""Labels: what people say of verdicts, which decisions they should look at, and what follows for each rule."""
