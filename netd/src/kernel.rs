//! What netd needs of the kernel, in netd's words.

#[cfg(any(test, feature = "testing"))]
pub mod fake;
pub mod netlink;

use crate::knob::NewKnob;
use crate::observe::Address;
use crate::observe::Observed;
use crate::observe::Route;
use crate::plan::NewAddress;
use std::future::Future;

/// Reads and changes links, addresses and routes.
pub trait Kernel {
    /// Reads everything.
    fn observe(&self) -> impl Future<Output = Result<Observed, KernelError>>;
    /// Switches a link on.
    fn switch_on(&self, index: u32) -> impl Future<Output = Result<(), KernelError>>;
    /// Makes a setting of a link.
    fn set_knob(&self, knob: &NewKnob) -> impl Future<Output = Result<(), KernelError>>;
    /// Sets the largest packet of a link, in bytes.
    fn set_mtu(&self, index: u32, mtu: u32) -> impl Future<Output = Result<(), KernelError>>;
    /// Adds an address, or moves its end if it is there.
    fn put_address(&self, address: &NewAddress) -> impl Future<Output = Result<(), KernelError>>;
    /// Takes an address away.
    fn remove_address(&self, address: &Address) -> impl Future<Output = Result<(), KernelError>>;
    /// Adds a route, in place of one with the same destination and metric.
    fn put_route(&self, route: &Route) -> impl Future<Output = Result<(), KernelError>>;
    /// Takes a route away.
    fn remove_route(&self, route: &Route) -> impl Future<Output = Result<(), KernelError>>;
}

/// Why the kernel did not do it.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// A list could not be read.
    #[error("read the {what} from the kernel")]
    Read {
        /// Links, addresses or routes.
        what: &'static str,
        /// What netlink said.
        #[source]
        source: rtnetlink::Error,
    },
    /// A kernel setting could not be written.
    #[error("set {setting}")]
    Setting {
        /// Its file.
        setting: String,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// A change was refused.
    #[error("{action}")]
    Change {
        /// What was to be done, to what.
        action: String,
        /// What netlink said.
        #[source]
        source: rtnetlink::Error,
    },
}
