"""The mutants, one module per topic, each with its ``TOPIC``."""
