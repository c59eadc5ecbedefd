"""Errors that GPUs report by themselves: heard from NVML's events and from the kernel log, counted once."""
