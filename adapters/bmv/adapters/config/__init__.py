"""The one configuration file of every mode: its schema, where its values come from, and what the core makes of it."""

from bmv.adapters.config.dump import digest, dump, masked
from bmv.adapters.config.load import Loaded, a_kind, build, configured, env_name, load, load_with_origins
from bmv.adapters.config.schema import Config

__all__ = [
    "Config",
    "Loaded",
    "a_kind",
    "build",
    "configured",
    "digest",
    "dump",
    "env_name",
    "load",
    "load_with_origins",
    "masked",
]
