"""The version, written once: the build and ``mixtures.__version__`` both read it here."""

__version__ = "0.1.0"
