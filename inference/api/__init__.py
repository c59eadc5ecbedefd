"""THE HTTP INTERFACE: OpenAI's protocol, health and metrics, faults. Knows the engine only by its public methods."""
