//! Networks of apps: who has which address, and the link that leads there.

pub mod addressing;
pub mod messages;
pub mod roster;
pub mod route_socket;
pub mod wiring;
