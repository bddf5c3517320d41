//! Who may reach what, from hostd's policy to the kernel's rules.

pub mod explain;
pub mod permission;
pub mod refusal;
