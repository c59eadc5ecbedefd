"""What an XID means: the codes in which NVIDIA's driver reports errors of a GPU.

Meanings and actions follow NVIDIA's XID catalogue (docs.nvidia.com/deploy/xid-errors, edition of October 2025,
Ampere and newer). What is fatal is our judgement, in one sentence: this GPU computes nothing more that can be
trusted until it is reset, the host is restarted or the card is replaced.
"""

from dataclasses import dataclass
from typing import Literal

Action = Literal["none", "restart_app", "reset_gpu", "restart_host", "update_software", "see_other_xid", "inspect"]
"""What to do first: `see_other_xid` is a companion of another error, `inspect` has a diagnosis of its own."""
Kind = Literal["app", "driver", "memory", "link", "bus", "gpu", "info"]
"""Where the error lies: in the program, the driver, device memory, NVLink, PCIe, the GPU itself, or nowhere."""


@dataclass(frozen=True, slots=True)
class Xid:
    """One code."""

    code: int
    meaning: str
    """Words that end no sentence, for messages."""
    kind: Kind
    action: Action
    fatal: bool = False


XIDS = (
    Xid(8, "GPU stopped processing, idle timeout", "app", "restart_app"),
    Xid(11, "invalid or corrupted push buffer stream", "app", "restart_app"),
    Xid(13, "graphics engine exception", "app", "restart_app"),
    Xid(25, "invalid or illegal push buffer stream", "app", "restart_app"),
    Xid(31, "GPU memory page fault", "app", "restart_app"),
    Xid(32, "invalid or corrupted push buffer stream", "app", "restart_app"),
    Xid(37, "driver firmware error", "driver", "none"),
    Xid(38, "driver firmware error", "driver", "none"),
    Xid(39, "copy engine exception", "app", "restart_app"),
    Xid(40, "copy engine exception", "app", "restart_app"),
    Xid(41, "copy engine exception", "app", "restart_app"),
    Xid(43, "GPU stopped processing, channel reset", "app", "none"),
    Xid(44, "fault during context switch", "driver", "none"),
    Xid(45, "preemptive cleanup after another error", "info", "see_other_xid"),
    Xid(46, "GPU stopped processing, timeout", "gpu", "reset_gpu", fatal=True),
    Xid(48, "double bit ECC error", "memory", "reset_gpu", fatal=True),
    Xid(61, "internal microcontroller breakpoint", "gpu", "inspect"),
    Xid(62, "internal microcontroller halt", "gpu", "reset_gpu", fatal=True),
    Xid(63, "memory row remapping recorded", "memory", "none"),
    Xid(64, "memory row remapping failed", "memory", "reset_gpu", fatal=True),
    Xid(66, "illegal access by the driver", "driver", "none"),
    Xid(68, "video decoder exception", "app", "restart_app"),
    Xid(69, "graphics engine class error", "app", "restart_app"),
    Xid(71, "copy engine exception", "app", "restart_app"),
    Xid(72, "copy engine exception", "app", "restart_app"),
    Xid(74, "NVLink error", "link", "inspect", fatal=True),
    Xid(78, "vGPU start error", "driver", "update_software"),
    Xid(79, "GPU has fallen off the bus", "bus", "restart_host", fatal=True),
    Xid(80, "corrupted data sent to the GPU", "app", "restart_app"),
    Xid(92, "high rate of corrected ECC errors", "memory", "none"),
    Xid(93, "InfoROM wear limit", "gpu", "none"),
    Xid(94, "contained memory error", "memory", "restart_app"),
    Xid(95, "uncontained memory error", "memory", "reset_gpu", fatal=True),
    Xid(109, "context switch timeout", "gpu", "reset_gpu"),
    Xid(110, "security fault", "gpu", "reset_gpu", fatal=True),
    Xid(119, "GSP did not answer a request in time", "gpu", "reset_gpu", fatal=True),
    Xid(120, "GSP error", "gpu", "reset_gpu", fatal=True),
    Xid(121, "C2C link error", "link", "none"),
    Xid(136, "NVLink training failed", "link", "reset_gpu", fatal=True),
    Xid(137, "NVLink privilege error", "link", "none"),
    Xid(140, "unrecovered ECC error", "memory", "reset_gpu", fatal=True),
    Xid(141, "CUDA fast path error", "driver", "none"),
    Xid(143, "GPU initialisation error", "gpu", "reset_gpu", fatal=True),
    Xid(144, "NVLink 5 error in SAW", "link", "inspect"),
    Xid(145, "NVLink 5 error in RLW", "link", "inspect"),
    Xid(146, "NVLink 5 error in TLW", "link", "inspect"),
    Xid(147, "NVLink 5 error in TREX", "link", "inspect"),
    Xid(148, "NVLink 5 error in NVLPW_CTRL", "link", "inspect"),
    Xid(149, "NVLink 5 error in NETIR", "link", "inspect"),
    Xid(150, "NVLink 5 error in MSE", "link", "inspect"),
    Xid(151, "key rotation error", "driver", "restart_host"),
    Xid(154, "recovery action changed", "info", "see_other_xid"),
    Xid(155, "NVLink software-defined error", "link", "reset_gpu", fatal=True),
    Xid(156, "resource retirement recorded", "gpu", "reset_gpu"),
    Xid(157, "resource retirement failed", "gpu", "none"),
    Xid(158, "GPU fatal timeout", "gpu", "reset_gpu", fatal=True),
    Xid(167, "PCIe fatal timeout", "bus", "inspect", fatal=True),
    Xid(168, "reduced memory capacity", "memory", "inspect"),
    Xid(169, "SEC2 halt", "gpu", "inspect", fatal=True),
    Xid(171, "uncorrectable DRAM error, detail of 48", "memory", "reset_gpu", fatal=True),
    Xid(172, "uncorrectable SRAM error, detail of 48", "memory", "reset_gpu", fatal=True),
)
"""By code. A code that is not here is counted all the same."""

BY_CODE = {one.code: one for one in XIDS}
FATAL = tuple(one.code for one in XIDS if one.fatal)
"""Codes that every GPU shows a count of from the start, so that the first one is a rise from 0."""
