"""RUN: bring the parts up together, natively or in containers."""
