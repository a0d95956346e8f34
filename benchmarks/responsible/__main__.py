"""``python -m benchmarks.responsible``; see report.py."""

from .report import main

main()
