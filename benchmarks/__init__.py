"""Measurements: `python -m benchmarks NAME [--json] ...`; each module but the private ones is one."""
