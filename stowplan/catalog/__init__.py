"""The catalog of node shapes and prices: real EC2 instance types, on-demand, us-east-1."""

from stowplan.catalog.instance_types import InstanceType, load_catalog, price_of

__all__ = ["InstanceType", "load_catalog", "price_of"]
