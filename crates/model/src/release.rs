//! When this system was released.

/// No clock of a box with this system can show an earlier time, in seconds since 1970: 2026-11-01T00:00:00Z. netd moves an impossible clock
/// there, and signed metadata that expired before is expired. A release moves it (`CONTRIBUTING.md`).
pub const RELEASED: u64 = 1_793_491_200;
