"""Warnings that a fit may give; errors are ValueError and TypeError, as in scikit-learn."""


class DegenerateDataWarning(UserWarning):
    """The data do not determine the parameters; the message says which, and what to do."""


class HeywoodWarning(UserWarning):
    """A factor model's likelihood is highest where a feature has no noise; the message says which.

    The solution is on the boundary (a Heywood case): one factor, or several, explain the feature
    without rest, more often because there are too many factors or too few rows than in truth.
    """


class IdentifiabilityWarning(UserWarning):
    """A factor model has more parameters than a covariance has numbers; the message gives both.

    Many solutions then have the same likelihood, and the one found is one of them.
    """
