//! Who may reach what, from hostd's policy to the kernel's rules.
//!
//! ```text
//! AppPolicy ─> permissions ─┬─> compile ─> Ruleset ─> one batch ─> kernel
//!                           └─> explain ─> "may A reach B, and by which rule"
//! ```

pub mod admission;
pub mod compile;
pub mod explain;
pub mod filter;
pub mod kernel;
pub mod learned;
pub mod permission;
pub mod ranges;
pub mod refusal;
pub mod situation;
pub mod tally;
