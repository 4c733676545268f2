"""What the clients are told to send, decided here and not by them.

A plan is reproducible from its seed. The clients read everything but the
bodies from a file; a body is SHA-256 of "seed:index:block" for block 0, 1, …,
cut at the size, so that three programs can make it on their own.
"""

import dataclasses
import hashlib
import math
import random

BODY_BYTES_MAX = 1 << 20

# Text that a broker may trip over: its own separators, quotes, other scripts.
_VALUES = ("plain", "with blank", 'quote " and \\', "größer", "消息", "🛶", "{a:1}", "%RETRY%")


@dataclasses.dataclass(frozen=True)
class Planned:
    index: int
    size: int
    tag: str
    keys: tuple
    properties: dict

    def body_sha256(self, seed):
        blocks = []
        for block in range((self.size + 31) // 32):
            blocks.append(hashlib.sha256(f"{seed}:{self.index}:{block}".encode()).digest())
        return hashlib.sha256(b"".join(blocks)[: self.size]).hexdigest()


def make(count, seed, size=None):
    """`size` fixes every body; otherwise sizes spread evenly over the powers
    of two from 1 B to 1 MiB, both ends included."""
    chosen = random.Random(seed)
    plan = []
    for index in range(count):
        if size is not None:
            body_size = size
        elif index < 2:
            body_size = (1, BODY_BYTES_MAX)[index]
        else:
            body_size = int(math.exp(chosen.uniform(0, math.log(BODY_BYTES_MAX))))
        keys = tuple(f"key-{index}-{n}" for n in range(chosen.randint(1, 3)))
        properties = {"index": str(index)}
        for n in range(chosen.randint(0, 3)):
            properties[f"p{n}"] = chosen.choice(_VALUES)
        tag = chosen.choice(("red", "green", "blue-1", "Ünïcode"))
        plan.append(Planned(index, body_size, tag, keys, properties))
    return plan


def write(plan, path):
    """The format is described at Plan.java."""
    with open(path, "w", encoding="utf-8") as file:
        for message in plan:
            properties = ";".join(f"{k}={v}" for k, v in message.properties.items())
            file.write(f"{message.index}\t{message.size}\t{message.tag}\t"
                       f"{','.join(message.keys)}\t{properties}\n")
