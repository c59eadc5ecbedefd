"""What a loaded model is, in one word: changes when the same question may rightly get another answer."""

import hashlib
import json
from importlib.metadata import version

import torch
from transformers import PreTrainedModel


def fingerprint(model: PreTrainedModel) -> str:
    """`fp_` and 12 hexadecimal digits, of weights, configuration, precision and the versions of what computes.

    The same wherever the model's files lie and however often they are loaded. Takes 1 s for each GB of weights.

    Args:
        model: On the CPU, as it was loaded.
    """
    config = {name: value for name, value in model.config.to_dict().items() if not name.startswith("_")}
    about = [config, str(model.dtype), torch.__version__, version("transformers"), version("inferwatch")]
    digest = hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode())
    for name, weights in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weights.contiguous().view(-1).view(torch.uint8).numpy())
    return f"fp_{digest.hexdigest()[:12]}"
