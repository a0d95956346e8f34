"""Laws, twins and oracles; `registry.py` says over what."""
