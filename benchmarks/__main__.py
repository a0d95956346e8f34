"""All benchmarks: ``python -m benchmarks``; see report.py."""

from .report import main

main()
