"""What the service costs, as ratios against a bare endpoint in the same run."""

from exchange.bench.measuring import measure

__all__ = ["measure"]
