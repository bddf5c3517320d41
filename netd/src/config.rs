//! Settings of one run: who may call and where files lie. What the owner may choose comes over the bus ([`crate::settings`]).

use crate::keeper::Files;
use hostapi::net1::AllowedUids;
use model::names::HostName;
use model::paths::NETD_STATE;
use std::path::Path;
use std::path::PathBuf;

/// netd's folder in RAM.
const RUN: &str = "/run/hearth/net";

/// What one run works with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may use the bus interface.
    pub allowed: AllowedUids,
    /// Where the box's programs find their name server.
    pub resolv_conf: PathBuf,
    /// The owner's settings.
    pub settings_file: PathBuf,
    /// The last known time.
    pub time_file: PathBuf,
    /// The keeper's documents.
    pub keeper_files: Files,
    /// The name until hostd gives another.
    pub host_name: HostName,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allowed: AllowedUids::default(),
            resolv_conf: PathBuf::from(RUN).join("resolv.conf"),
            settings_file: Path::new(NETD_STATE).join("settings.json"),
            time_file: Path::new(NETD_STATE).join("time"),
            keeper_files: Files {
                policy: Path::new(RUN).join("policy.json"),
                roster: Path::new(RUN).join("apps.json"),
                prefix6: Path::new(NETD_STATE).join("prefix6.json"),
            },
            host_name: HostName::default(),
        }
    }
}
