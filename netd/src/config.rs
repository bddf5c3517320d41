//! Settings of one run. There is no configuration file yet: what may be set at all, hostd sets over the bus.

use hostapi::net1::AllowedUids;
use model::names::HostName;
use std::path::PathBuf;

/// What one run works with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may use the bus interface.
    pub allowed: AllowedUids,
    /// Where the name servers are written, until netd has a resolver of its own.
    pub resolv_conf: PathBuf,
    /// The name until hostd gives another.
    pub host_name: HostName,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allowed: AllowedUids::default(),
            resolv_conf: PathBuf::from("/run/hearth/net/resolv.conf"),
            host_name: HostName::default(),
        }
    }
}
