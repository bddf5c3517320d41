//! Putting an image on a disk.

use clap::Args;
use clap::ValueEnum;
use flash::digest::Digest;
use flash::disks::Objection;
use model::names::HostName;
use model::preset::ClaimCode;
use model::preset::Country;
use model::preset::Locale;
use model::preset::Ssid;
use model::preset::TimeZone;
use std::path::PathBuf;

/// Puts an image on a disk.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  hearthctl flash                                    the disks that can be written
  sudo hearthctl flash hearth.img.zst /dev/sdb
  sudo hearthctl flash hearth.img.zst /dev/sdb --claim-code --host-name attic
  sudo hearthctl flash hearth.img.zst /dev/sdb --wifi \"Our home\" --country DE --time-zone Europe/Berlin --locale de_DE

What lies beside the image is used to check it: hearth.img.zst.sha256, manifest.json, and hearth.img.bmap, which says what of it has to be
written. They show damage and not who made the image; a checksum from elsewhere does: --sha256.

Until all of it is on the disk and was read back, nothing starts from the disk.")]
pub struct Flash {
    /// The image, such as hearth.img.zst; without one, the disks are listed
    pub image: Option<PathBuf>,
    /// The disk, such as /dev/sdb; or a file as large as one
    #[arg(requires = "image")]
    pub disk: Option<PathBuf>,
    /// Do not ask before everything on the disk is erased
    #[arg(long, short)]
    pub yes: bool,
    /// Write the disk although it is … ; may be given more than once
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    pub even_if: Vec<EvenIf>,
    /// SHA-256 that the image file must have
    #[arg(long, value_name = "64 HEX DIGITS")]
    pub sha256: Option<Digest>,
    /// The block map, instead of the one beside the image
    #[arg(long, value_name = "FILE", requires = "image")]
    pub map: Option<PathBuf>,
    /// List all disks, also those that are built in
    #[arg(long, conflicts_with = "image")]
    pub all: bool,
    /// What is decided before the first start.
    #[command(flatten)]
    pub preset: PresetWish,
}

/// What is decided before the first start.
#[derive(Args, Debug)]
#[command(next_help_heading = "Decided before the first start")]
pub struct PresetWish {
    /// The code that makes its first user the owner of the box; without one after it, a new code is made and shown
    #[arg(long, value_name = "CODE", num_args = 0..=1, require_equals = true, requires = "image")]
    pub claim_code: Option<Option<ClaimCode>>,
    /// Name of the box, until its owner chooses another
    #[arg(long, value_name = "NAME", requires = "image")]
    pub host_name: Option<HostName>,
    /// The wireless network to join; its passphrase is asked for
    #[arg(long, value_name = "NETWORK", requires = "country", requires = "image")]
    pub wifi: Option<Ssid>,
    /// Where the box is, for the rules of radio: two letters
    #[arg(long, value_name = "COUNTRY", requires = "wifi")]
    pub country: Option<Country>,
    /// The wireless network has no passphrase
    #[arg(long, requires = "wifi")]
    pub open_wifi: bool,
    /// Read the passphrase of the wireless network from the first line of standard input
    #[arg(long, requires = "wifi", conflicts_with = "open_wifi")]
    pub passphrase_stdin: bool,
    /// Time zone, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", requires = "image")]
    pub time_zone: Option<TimeZone>,
    /// Language, such as de or de_AT
    #[arg(long, value_name = "LANGUAGE", requires = "image")]
    pub locale: Option<Locale>,
}

/// What somebody knows and wants all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EvenIf {
    /// Mounted, swapped to, or a part of a volume
    InUse,
    /// Built in: nothing that is made to be taken out
    Internal,
    /// The disk that this computer runs from
    System,
}

impl EvenIf {
    /// Whether it answers what speaks against a disk.
    #[must_use]
    pub fn answers(self, objection: Objection) -> bool {
        match self {
            Self::InUse => objection == Objection::InUse,
            Self::Internal => objection == Objection::Internal,
            Self::System => objection == Objection::System,
        }
    }
}
