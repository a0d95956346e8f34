"""Warnings that a fit may give; errors are ValueError and TypeError, as in scikit-learn."""


class DegenerateDataWarning(UserWarning):
    """The data do not determine the parameters; the message says which, and what to do."""
