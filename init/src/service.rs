//! Services: what runs, as whom, and what happens when it does not.
//!
//! ```text
//! table (const rows) ── machine (pure: state × event → state, effects) ── supervisor (the one loop of PID 1)
//!                                                                              ├ notify   READY=1 … by datagram
//!                                                                              ├ control  requests of hostd
//!                                                                              ├ logs     pipes → ring in memory
//!                                                                              ├ cgroup   limits, kill
//!                                                                              └ reports  services.json
//! ```
//! No decision in here looks at a clock, a file or a process; the supervisor hands in what it sees.

pub mod apps;
pub mod cgroup;
pub mod control;
pub mod logs;
pub mod machine;
pub mod notify;
pub mod sockets;
pub mod spawn;
pub mod supervisor;
pub mod table;
