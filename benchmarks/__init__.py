"""Benchmarks of mixtures against its peers: ``python -m benchmarks``, see README.md."""
