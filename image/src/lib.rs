//! From a board manifest and the distribution's packages to a bootable image.
//!
//! [`build::build`] is the whole way; `xtask` and `hearth-image` call it. Tests make variants of what it leaves behind with
//! [`slot::build_slot`] and [`disk::write`]. Pure decisions stand apart from files and programs:
//!
//! | module | pure | touches files |
//! |---|---|---|
//! | [`manifest`] | parsing, merging | reading |
//! | [`arch`] | all | |
//! | [`apt`], [`parts`], [`sysroot`] | sources, offers | the package manager, cache |
//! | [`modinfo`], [`modules`] | selection, tables | index |
//! | [`root`], [`deny`], [`elf`] | `/etc`, judging | staging |
//! | [`cpio`], [`pe`], [`slot`], [`sign`] | all | reading parts |
//! | [`measure`], [`policy`] | all | the policy key |
//! | [`unpack`] | where the root is | a slot file back to files |
//! | [`updates`] | | keys that boxes trust |
//! | [`disk`] | identifiers | the image file |
//! | [`sbom`] | document | cargo |
//!
//! The parts are the distribution's packages, or what Buildroot made from source ([`parts::buildroot`]).
//!
//! Nothing here needs root rights, loop devices or mounts, and equal inputs give equal bytes.

pub mod apt;
pub mod arch;
pub mod build;
pub mod cpio;
pub mod deny;
pub mod digest;
pub mod disk;
pub mod elf;
pub mod erofs;
pub mod manifest;
pub mod measure;
pub mod modinfo;
pub mod modules;
pub mod overlays;
pub mod own_modules;
pub mod parts;
pub mod pe;
pub mod policy;
pub mod progress;
pub mod root;
pub mod sbom;
pub mod sign;
pub mod slot;
pub mod sysroot;
pub mod tool;
pub mod unpack;
pub mod updates;

pub use build::BuildInputs;
pub use build::BuiltImage;
pub use build::build;
pub use build::build_from_buildroot;
