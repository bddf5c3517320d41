//! How Hearth's daemons talk to each other and to PID 1.
//!
//! One file per D-Bus interface, and each interface is declared once: wire structs, error enum, backend trait, the glue that
//! checks the caller, and the proxy that is generated from the glue. There is no bus: a daemon listens on a Unix socket and
//! every accepted stream is a peer-to-peer D-Bus connection, so a caller is known by the `SO_PEERCRED` of its stream.
//!
//! * [`containers1`]: what containerd-lite offers, `org.hearthos.Containers1`.
//! * [`net1`]: what netd offers, `org.hearthos.Net1`.
//! * [`storage1`]: what storaged offers, `org.hearthos.Storage1`.
//! * [`peer`]: streams, and who may call.
//! * [`control`]: asking PID 1.
//! * [`activation`]: sockets handed over by PID 1, and the notifications sent back to it.

pub mod activation;
pub mod containers1;
pub mod control;
pub mod net1;
pub mod peer;
pub mod storage1;
