//! The only program that changes which system boots: `crates/slots` decides, this does.
//!
//! PID 1 starts it with a verb, as root, and never waits inside of its loop. It looks at the boot partition, the loader's variables and the
//! notes, has a plan made, and carries the plan out, one effect after the other; the first that fails ends it.
//!
//! ```text
//! installer VERB                                     installer confined
//! lock, mounts of its own, what the verb needs       one right at most, Landlock, no network, few system calls
//! made writable, start the confined half      ──▶    look → plan → effects → report
//! wait, all read-only again, end              ◀──    status
//! ```
//!
//! It trusts nobody but the root image: what hostd downloaded is checked against signed metadata here ([`approve`]), copied while it is
//! hashed, and read back from the disk. What goes wrong becomes a sentence in `/run/hearth/update/slots.json`.
//!
//! Left to others: downloading (hostd), what healthy is (hostd and PID 1), restarting (PID 1, by this program's status).

#![forbid(unsafe_code)]

pub mod approve;
pub mod confined;
pub mod durable;
pub mod esp;
pub mod failure;
pub mod guard;
pub mod loader;
pub mod look;
pub mod notebook;
pub mod osrel;
pub mod pi;
pub mod places;
pub mod read_back;
pub mod seen;
pub mod sides;
pub mod signed;
pub mod site;
pub mod telling;
pub mod verb;
pub mod words;
pub mod work;
