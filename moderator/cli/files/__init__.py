"""What commands read and write: standard streams, recorded events, JSON texts, output files."""
