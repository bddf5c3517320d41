//! The container daemon of Hearth. What is here so far is its store of images.
//!
//! [`image`] gets images of apps from registries and files, checks every byte of them against its digest, and unpacks their
//! layers, in a confined child, to folders that overlayfs lays over each other.

pub mod apps;
pub mod container;
pub mod image;
pub mod logs;
pub mod runtime;
pub mod state;
pub mod volumes;
