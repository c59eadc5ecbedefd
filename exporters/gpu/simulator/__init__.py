"""A machine with GPUs that do not exist: what they are, how they behave, and how their faults are set.

Lives in the exporter's own process whatever process asks NVML, so that a replaced reader meets the same sick
GPU. Knows neither NVML nor Prometheus; `devices/simulated.py` shows this machine as an NVML library.
"""
