"""What a cluster's configuration is, and the one parser of clusters.json."""

from clusters.config.cluster import ClusterConfig, Trust
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
from clusters.config.syntax import (
    MAX_ADDRESSES,
    address_lines,
    pins,
    split_address,
    split_token,
    token_user,
    validate_addresses,
    validate_host,
    validate_pem,
    validate_pins,
    validate_token_id,
    validate_user,
)

__all__ = [
    "MAX_ADDRESSES",
    "MAX_BYTES",
    "MAX_CLUSTERS",
    "MAX_DEPTH",
    "ClusterConfig",
    "ClusterFile",
    "ClusterFileError",
    "Problem",
    "Trust",
    "address_lines",
    "inspect",
    "parse",
    "parse_entries",
    "pins",
    "read_bytes",
    "read_file",
    "settle_default",
    "split_address",
    "split_token",
    "token_user",
    "validate_addresses",
    "validate_host",
    "validate_pem",
    "validate_pins",
    "validate_token_id",
    "validate_user",
]
