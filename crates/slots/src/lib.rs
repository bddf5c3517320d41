//! Update slots: which system boots, which one is tried, which one is kept. Pure: no file is opened here.
//!
//! A box has two places for systems. One is **good**: it ran and was healthy. An update goes to the other place, is **tried** once, and is
//! good when it proved healthy, else **bad**, with its reason. The firmware's part cannot be changed, so all of it rests on what the
//! firmware looks at: names in a folder on UEFI boards ([`uefi`]), `autoboot.txt` and a flag on the Pi ([`pi`]).
//!
//! ```text
//! seen on the disk, event ── uefi::plan or pi::plan ──▶ effects, in order ──▶ the disk ── seen again, next event …
//! ```
//!
//! There is no state beside what lies on the disk: after a power cut the plan is made from what is seen then. Whoever runs effects
//! ([`Effect`]) does one after the other and stops at the first that fails.
//!
//! What must hold, and is checked for every state that can be reached (`tests/it`):
//!
//! 1. after every cut there is a system that boots;
//! 2. a system that failed is never good, and is not armed again unless somebody asks for it;
//! 3. the last good system is never renamed, counted, overwritten or removed;
//! 4. only boots of systems that were not confirmed are counted;
//! 5. left alone, a box comes to rest in a good system within a few boots;
//! 6. what the firmware may choose was written, synced and read back before.
//!
//! Left to others: reading folders and variables, writing, checking signatures (the updater), deciding what healthy is (init), and the
//! loader itself.

pub mod pi;
pub mod plan;
mod slot;
pub mod uefi;
mod version;

pub use plan::Effect;
pub use plan::Event;
pub use plan::Order;
pub use plan::Refused;
pub use plan::Restart;
pub use plan::Running;
pub use plan::Standing;
pub use slot::Failure;
pub use slot::MAX_FAILURES;
pub use slot::MAX_WORDS;
pub use slot::Note;
pub use slot::Notes;
pub use slot::Pending;
pub use slot::Reason;
pub use slot::Slot;
pub use slot::SlotState;
pub use slot::Stage;
pub use slot::Words;
pub use version::MAX_VERSION;
pub use version::Version;
pub use version::VersionError;
pub use version::compare;
