//! Shared types of Hearth: pure data that crosses a process boundary, with serde and no I/O.
//!
//! `report` is what init tells the others through files in `/run/hearth`; `control` is what others may ask of init;
//! `apps` is what people call apps; `containers` is what hostd and containerd-lite tell each other; `network` is what hostd and netd tell each other; `update` is what the installer tells of slots; `preset` is what an owner decided before the first start; `names` holds values that are checked
//! once at the edge and carried as types from then on.

pub mod apps;
pub mod containers;
pub mod control;
pub mod names;
pub mod network;
pub mod paths;
pub mod preset;
pub mod release;
pub mod report;
pub mod storage;
pub mod update;
