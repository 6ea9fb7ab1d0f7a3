"""Commands over what was read before: dead letters sent again, events and recorded decisions judged again."""
