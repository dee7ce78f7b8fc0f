"""How are several learnt faces kept on the device at once?

Building a tuned network takes a copy of the whole network and of the weights. Who animates one person, then another,
then the first again should wait for that twice, not three times.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import replace

from backend_server.texture.identity import Identity
from backend_server.texture.render import tuned_generator
from backend_server.texture.synthesis import TextureGenerator


class TunedGenerators:
    """The tuned networks used last, by what their weights are.

    Args:
        limit: how many are kept; the one unused for longest gives way.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, TextureGenerator] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def generator_for(self, initial: TextureGenerator, identity: Identity) -> tuple[TextureGenerator, Identity]:
        """The network with the identity's weights in it, and the identity without them.

        Raises:
            WeightsError: the identity was tuned from another network.
        """
        if not identity.weights:
            return initial, identity
        key = _key(identity)
        tuned = self._kept.pop(key, None)
        if tuned is None:
            while len(self._kept) >= self._limit:
                self._kept.popitem(last=False)  # before the next is built, so that memory stays bounded
            tuned = tuned_generator(initial, identity)
        self._kept[key] = tuned
        return tuned, replace(identity, weights={})


def _key(identity: Identity) -> str:
    whole = hashlib.blake2b(digest_size=16)
    for name, weight in sorted(identity.weights.items()):
        whole.update(f"{name} {weight.shape} ".encode())
        whole.update(weight.tobytes())
    return whole.hexdigest()
