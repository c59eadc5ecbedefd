"""NVML in processes that can be killed: a driver call that never returns cannot be ended in any other way."""
