//! The netd program in network namespaces of its own, against a real DHCP server (dnsmasq). Needs root and the feature `rooted`;
//! without that feature there is nothing here to run, and with it a test that cannot make a namespace fails.

#[cfg(feature = "rooted")]
#[cfg(test)]
mod rooted;
