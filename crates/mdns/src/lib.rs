//! Multicast DNS responder and querier (RFC 6762, RFC 6763).
