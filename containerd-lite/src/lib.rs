//! The container daemon of Hearth. What is here so far is its store of images, and what runs containers.
//!
//! [`image`] gets images of apps from registries and files, checks every byte of them against its digest, and unpacks their
//! layers, in a confined child, to folders that overlayfs lays over each other. [`run`] runs containers; [`runtime`] is what it offers.

pub mod image;
pub mod run;
pub mod runtime;
