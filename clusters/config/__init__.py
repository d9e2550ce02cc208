"""What a cluster's configuration is, and the one parser of clusters.json."""

from clusters.config.cluster import ClusterConfig, Trust, validate_host, validate_pem, validate_user
from clusters.config.entry import MAX_DEPTH, Problem
from clusters.config.file import (
    MAX_BYTES,
    MAX_CLUSTERS,
    ClusterFile,
    ClusterFileError,
    inspect,
    parse,
    parse_entries,
    read_bytes,
    read_file,
    settle_default,
)

__all__ = [
    "MAX_BYTES",
    "MAX_CLUSTERS",
    "MAX_DEPTH",
    "ClusterConfig",
    "ClusterFile",
    "ClusterFileError",
    "Problem",
    "Trust",
    "inspect",
    "parse",
    "parse_entries",
    "read_bytes",
    "read_file",
    "settle_default",
    "validate_host",
    "validate_pem",
    "validate_user",
]
