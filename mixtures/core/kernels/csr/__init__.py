"""The E-step on rows of a CSR matrix."""
