//! The network as hostd wishes it and as netd shows it: documents that travel over D-Bus and HTTP as JSON.
//!
//! * [`settings`]: what the owner may choose for the box: links, name servers, time servers. netd keeps it.
//! * [`app_policy`]: who may reach what. hostd decides it, netd makes it so, all or nothing.
//! * [`attachment`]: what netd answers when an app's network namespace was wired up.
//! * [`endpoint`] and [`explanation`]: "may A reach B, and by which rule".
//! * [`link_settings`] and [`link_report`]: the same two for one link.
//! * [`report`]: how the network is now.

pub mod app_policy;
pub mod attachment;
pub mod endpoint;
pub mod explanation;
pub mod link_report;
pub mod link_settings;
pub mod names;
pub mod report;
pub mod settings;
pub mod wifi;
