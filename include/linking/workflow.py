"""Linking as a workflow: plan → shards → publish."""

from __future__ import annotations

from include.linking.parameters import LinkingParameters
from include.linking.plan import plan
from include.linking.publish import publish
from include.linking.shards import link_shards as run_shards

PARAMETERS = LinkingParameters

__all__ = ["PARAMETERS", "plan", "publish", "run_shards"]
