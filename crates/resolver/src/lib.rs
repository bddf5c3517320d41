//! DNS resolver of the box: encrypted upstreams, cache, views, rebinding protection.
