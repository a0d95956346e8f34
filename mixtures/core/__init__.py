"""The engine: one E-step, one EM loop, one estimator base; it knows no model."""
