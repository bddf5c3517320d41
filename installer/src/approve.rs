//! Who says which slot file may be installed: signed metadata, checked here and not by whoever downloaded it.

use std::error::Error;
use std::fmt;

use model::update::UpdateOrder;
use model::update::UpdateOrigin;
use sha2::Digest as _;
use sha2::Sha256;
use slots::Version;

use crate::places::Places;

/// Longest slot file, in bytes. The boot partition has 512 MiB: two slots, the one that is written, the loader.
pub const MAX_SLOT: u64 = 128 << 20;

/// What the metadata says of a version for this board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// The version.
    pub version: Version,
    /// The board it is made for.
    pub board: String,
    /// Length of the slot file, in bytes.
    pub length: u64,
    /// Its hash.
    pub sha256: Hash,
    /// Lowest version of the loader that starts it, such as `257`.
    pub loader: Option<String>,
}

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why nothing is approved.
pub type NotApproved = Box<dyn Error + Send + Sync>;

/// What somebody wants to be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The version.
    pub version: &'a Version,
    /// Who wants it.
    pub order: UpdateOrder,
    /// Where it came from.
    pub origin: UpdateOrigin,
    /// The board that this is.
    pub board: &'a str,
    /// The version that runs.
    pub running: &'a Version,
}

/// What starts systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starter<'a> {
    /// A loader; the text of `LoaderInfo`.
    Loader(Option<&'a str>),
    /// The firmware of the board itself, so that it does not matter what the metadata says of loaders.
    Firmware,
}

/// Whoever knows what is signed.
pub trait Approve {
    /// What is signed for this version and board.
    ///
    /// # Errors
    /// When the metadata is not signed as it must be, has expired, or does not name it.
    fn approve(&self, places: &Places, wanted: &Wanted<'_>) -> Result<Approved, NotApproved>;
}

/// Why what is approved is not for this box.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Another version.
    #[error("{wanted} was asked for, and the signed list speaks of {found}")]
    Version {
        /// What was asked for.
        wanted: Version,
        /// What is signed.
        found: Version,
    },
    /// Another board.
    #[error("it is made for the board {found:?}, and this is {own:?}")]
    Board {
        /// This box.
        own: String,
        /// What is signed.
        found: String,
    },
    /// Nothing, or more than [`MAX_SLOT`].
    #[error("it has {length} bytes, and a system has 1 to {MAX_SLOT}")]
    Length {
        /// How many.
        length: u64,
    },
    /// The loader is another one, or too old.
    #[error("it needs the loader systemd-boot {needed}, and this box has {found}")]
    Loader {
        /// Lowest version.
        needed: String,
        /// What the loader says of itself.
        found: String,
    },
}

/// Checks what is approved against what is wanted and the box.
///
/// # Errors
/// With the first thing that does not fit.
pub fn fits(approved: &Approved, wanted: &Wanted<'_>, starter: Starter<'_>) -> Result<(), Unfit> {
    if approved.version != *wanted.version {
        return Err(Unfit::Version { wanted: wanted.version.clone(), found: approved.version.clone() });
    }
    if approved.board != wanted.board {
        return Err(Unfit::Board { own: wanted.board.to_owned(), found: approved.board.clone() });
    }
    if !(1..=MAX_SLOT).contains(&approved.length) {
        return Err(Unfit::Length { length: approved.length });
    }
    let Starter::Loader(loader) = starter else { return Ok(()) };
    let needed = approved.loader.clone().unwrap_or_else(|| "of any version".to_owned());
    let unfit = || Unfit::Loader { needed: needed.clone(), found: loader.unwrap_or("none").to_owned() };
    let found = loader.filter(|info| slots::uefi::variable::is_systemd_boot(info)).ok_or_else(unfit)?;
    let own = found.split_once(' ').map_or("", |(_, version)| version);
    match &approved.loader {
        Some(lowest) if slots::compare(own, lowest).is_lt() => Err(unfit()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approved() -> Approved {
        Approved {
            version: "2".parse().unwrap(),
            board: "x86_64".to_owned(),
            length: 100,
            sha256: Hash::of(b""),
            loader: Some("257.13".to_owned()),
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let wanted = Wanted {
            version: &"2".parse().unwrap(),
            order: UpdateOrder::Automatic,
            origin: UpdateOrigin::Network,
            board: "x86_64",
            running: &"1".parse().unwrap(),
        };
        let loader = Some("systemd-boot 257.13-1~deb13u1");
        let fit = |approved: &Approved, loader| fits(approved, &wanted, Starter::Loader(loader));
        fit(&approved(), loader).unwrap();
        fit(&approved(), Some("systemd-boot 258")).unwrap();
        fit(&Approved { loader: None, ..approved() }, Some("systemd-boot 1")).unwrap();
        for (bad, loader) in [
            (Approved { version: "3".parse().unwrap(), ..approved() }, loader),
            (Approved { board: "rpi4".to_owned(), ..approved() }, loader),
            (Approved { length: 0, ..approved() }, loader),
            (Approved { length: MAX_SLOT + 1, ..approved() }, loader),
            (approved(), Some("systemd-boot 257.9")),
            (approved(), Some("GRUB 2.12")),
            (Approved { loader: None, ..approved() }, None),
        ] {
            fit(&bad, loader).unwrap_err();
        }
        fits(&Approved { loader: Some("300".to_owned()), ..approved() }, &wanted, Starter::Firmware).unwrap();
        fits(&Approved { length: 0, ..approved() }, &wanted, Starter::Firmware).unwrap_err();
    }
}
