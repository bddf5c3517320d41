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
    /// The folder for what must survive a reboot.
    pub state: PathBuf,
    /// The folder for what must survive a restart of netd, but not a reboot.
    pub run: PathBuf,
}

impl Settings {
    /// Settings with files in these folders: one for what must survive a reboot, one for what must survive a restart of netd.
    #[must_use]
    pub fn in_folders(state: &Path, run: &Path) -> Self {
        Self {
            allowed: AllowedUids::default(),
            resolv_conf: run.join("resolv.conf"),
            settings_file: state.join("settings.json"),
            time_file: state.join("time"),
            keeper_files: Files {
                policy: run.join("policy.json"),
                roster: run.join("apps.json"),
                prefix6: state.join("prefix6.json"),
            },
            host_name: HostName::default(),
            state: state.to_owned(),
            run: run.to_owned(),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::in_folders(Path::new(NETD_STATE), Path::new(RUN))
    }
}
