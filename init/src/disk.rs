//! The data partition: finding it, making it at first boot, checking, mounting and growing it later.
//!
//! ```text
//! probe (sysfs + GPT of every disk) → choose (which disk is ours) → layout (pure: what must be written)
//!   → write the table → tell the kernel → mke2fs | superblock → e2fsck → mount → folders → rename the entry | resize2fs
//! ```
//! The name of the partition's entry is the only state: `hearth-new` holds nothing of worth and may be formatted,
//! `hearth-data` never is. The name changes after everything else is on the disk, and nothing is stored before. A cut
//! at any write therefore leads back to one of the two (tests in `layout`).

pub mod bring_up;
pub mod choose;
pub mod format;
pub mod gpt;
pub mod layout;
pub mod probe;
pub mod superblock;
pub mod tools;
