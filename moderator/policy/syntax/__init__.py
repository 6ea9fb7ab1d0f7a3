"""YAML text -> nodes that know their place, and the catalogue of everything that can be wrong in a policy folder."""
