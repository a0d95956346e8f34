"""The E-step on rows of bits."""
