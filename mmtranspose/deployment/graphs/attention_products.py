"""Record the queries and keys that the network computes while it is traced, so that no graph computes them twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from torch import Tensor, nn

from mmtranspose.explain.recording import AttentionInput
from mmtranspose.models.layers import SelfAttention


@dataclass
class AttentionProducts(AttentionInput):
    """What one attention layer was given, with what it made of it.

    Attributes:
        queries (Tensor): (B, heads, N, c), of all tokens.
        keys (Tensor): (B, heads, N, c).
    """

    queries: Tensor
    keys: Tensor

    def part(self, samples: slice) -> AttentionProducts:
        """The same of some of the batch's images."""
        return replace(self, tokens=self.tokens[samples], queries=self.queries[samples], keys=self.keys[samples])

    def query_rows(self, numbers: Tensor) -> Tensor:
        """Read the queries of tokens ``numbers`` (B, Q): (B, heads, Q, c), float32."""
        heads, channels = self.queries.shape[1], self.queries.shape[3]
        index = numbers[:, None, :, None].expand(-1, heads, -1, channels)
        return self.queries.gather(2, index).float()

    def all_keys(self) -> Tensor:
        """The keys of all tokens: (B, heads, N, c), float32."""
        return self.keys.float()


@contextmanager
def recorded_products(encoder: nn.Module) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Record queries and keys of every attention layer of ``encoder`` that runs inside the ``with`` block, in order."""
    found: list[tuple[Tensor, Tensor]] = []
    layers = [module for module in encoder.modules() if isinstance(module, SelfAttention)]

    def recording(layer: SelfAttention) -> None:
        compute = layer.query_key

        def query_key(x: Tensor, pos: Tensor | None) -> tuple[Tensor, Tensor]:
            found.append(compute(x, pos))
            return found[-1]

        layer.query_key = query_key  # type: ignore[method-assign]

    for layer in layers:
        recording(layer)
    try:
        yield found
    finally:
        for layer in layers:
            del layer.query_key
