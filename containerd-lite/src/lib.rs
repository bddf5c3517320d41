//! The container daemon of Hearth: keeps images of apps, and runs apps as hostd wants them.
//!
//! * [`image`] gets images from registries and files, checks every byte of them against its digest, and unpacks their layers, in a
//!   confined child, to folders that overlayfs lays over each other.
//! * [`apps`] decides, purely, what is to be started and stopped when; [`container`] makes of image and specification what a container is
//!   started with; [`runtime`] says what whoever runs containers must offer.
//! * [`state`] keeps what is wanted of each app, [`volumes`] what apps write, [`logs`] what they print.
//! * [`daemon`] is where these meet. Apps outlive it: it finds them again.
//!
//! Left to others: who may install what (hostd), and rules of the network, without which nothing starts (netd).

pub mod apps;
mod bus;
pub mod container;
pub mod daemon;
pub mod image;
pub mod logs;
pub mod runtime;
pub mod state;
pub mod volumes;
mod words;
