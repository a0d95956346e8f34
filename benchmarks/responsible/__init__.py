"""The published experiments of the responsible softmax, run again: see report.py."""
