//! The recovery kit: what the owner prints, so that a new board and a backup are the same household again.
//!
//! It has two forms. The QR code and the line of text below it hold everything. The numbered lines are for typing; they
//! hold the household and the key, and each ends in two characters that catch a slip on that line.

mod code;
mod page;

use crate::key::BackupKey;
use crate::key::HouseholdId;
use crate::key::sha256_hex;
use crate::targets::Target;
use crate::targets::TargetError;
use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroizing;

const KIND: &str = "hearth-kit";
const VERSION: u32 = 1;
/// More than a page of text with everything in it.
const MAX_TEXT: usize = 64 * 1024;

/// What is in a recovery kit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryKit {
    /// The household.
    pub household: HouseholdId,
    /// The box's name, at most 64 characters; empty when the kit was typed from its numbered lines.
    pub box_name: String,
    /// Where the backups are, with its secrets or [`Target::redacted`], as the owner chose.
    pub target: Option<Target>,
    /// The key of the backups.
    pub key: BackupKey,
    /// When the kit was made, in seconds since 1970; 0 when typed.
    pub made: u64,
}

/// Why a kit cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// No kit in this text.
    #[error("this is no recovery kit: there are neither numbered lines nor the text of the code")]
    NotAKit,
    /// Far too long.
    #[error("the text is too long to be a recovery kit")]
    TooLong,
    /// A typed line is wrong.
    #[error("line {number} is not as printed")]
    Line {
        /// Which line.
        number: usize,
    },
    /// A typed line is missing.
    #[error("line {number} is missing")]
    MissingLine {
        /// Which line.
        number: usize,
    },
    /// All lines are right, but not of one kit.
    #[error("the lines are not of one recovery kit")]
    Checksum,
    /// The scanned text is damaged.
    #[error("the scanned text is damaged; scan it again")]
    Damaged,
    /// Made by a newer system.
    #[error("the recovery kit has version {found}, this system knows {VERSION}")]
    Version {
        /// Which version.
        found: String,
    },
    /// What it says cannot be.
    #[error("the recovery kit has a {field} that cannot be")]
    Field {
        /// Which field.
        field: &'static str,
    },
    /// Its target cannot be used.
    #[error("the recovery kit's backup target cannot be used")]
    Target(#[source] TargetError),
    /// Another household's kit.
    #[error("this recovery kit is of household {found}, not of {expected}")]
    OtherHousehold {
        /// Whose.
        found: HouseholdId,
        /// Who asked.
        expected: HouseholdId,
    },
    /// Too much for a QR code.
    #[error("the recovery kit is too long for a QR code; leave the target's secrets out")]
    TooLongForQr,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    household: HouseholdId,
    #[serde(rename = "box")]
    box_name: String,
    made: u64,
    /// In the letters of the typed form.
    key: Zeroizing<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<Target>,
}

impl RecoveryKit {
    /// The text that the QR code holds.
    ///
    /// # Errors
    /// When the box's name is too long.
    pub fn scan_text(&self) -> Result<Zeroizing<String>, KitError> {
        check_name(&self.box_name)?;
        let payload = Payload {
            household: self.household.clone(),
            box_name: self.box_name.clone(),
            made: self.made,
            key: Zeroizing::new(code::encode(self.key.expose())),
            target: self.target.clone(),
        };
        let json = Zeroizing::new(serde_json::to_string(&payload).map_err(|_never| KitError::Damaged)?);
        Ok(with_checksum(&json))
    }

    /// The page as text.
    ///
    /// # Errors
    /// When the box's name is too long.
    pub fn to_text(&self) -> Result<Zeroizing<String>, KitError> {
        page::text(self)
    }

    /// The page as HTML, complete in itself, with the QR code.
    ///
    /// # Errors
    /// When the box's name is too long, or the kit too long for a QR code.
    pub fn to_html(&self) -> Result<Zeroizing<String>, KitError> {
        page::html(self)
    }

    /// Reads what was scanned, or what was typed: the numbered lines are enough.
    ///
    /// # Errors
    /// What is wrong with it, by line where it was typed.
    pub fn parse(text: &str) -> Result<Self, KitError> {
        if text.len() > MAX_TEXT {
            return Err(KitError::TooLong);
        }
        match text.find(&format!("{KIND}:")) {
            Some(at) => Self::scanned(text[at..].lines().next().unwrap_or_default()),
            None => Self::typed(text),
        }
    }

    /// Refuses the kit of another household.
    ///
    /// # Errors
    /// When it is one.
    pub fn check_household(&self, expected: &HouseholdId) -> Result<(), KitError> {
        if self.household == *expected {
            return Ok(());
        }
        Err(KitError::OtherHousehold { found: self.household.clone(), expected: expected.clone() })
    }

    fn scanned(text: &str) -> Result<Self, KitError> {
        let mut parts = text.trim().splitn(4, ':').skip(1);
        let (Some(version), Some(check), Some(json)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KitError::Damaged);
        };
        if version.parse() != Ok(VERSION) {
            return Err(KitError::Version { found: version.chars().take(16).collect() });
        }
        if !sha256_hex(json.as_bytes()).starts_with(check) || check.len() != 16 {
            return Err(KitError::Damaged);
        }
        let payload: Payload = serde_json::from_str(json).map_err(|_syntax| KitError::Damaged)?;
        check_name(&payload.box_name)?;
        let key = Zeroizing::new(code::decode(&payload.key).ok_or(KitError::Field { field: "key" })?);
        let key = <[u8; BackupKey::LENGTH]>::try_from(key.as_slice())
            .map_err(|_other| KitError::Field { field: "key" })?;
        if let Some(target) = &payload.target {
            // Checked as a document is: right in form, though it may lack its secrets.
            let json = target.to_json().map_err(KitError::Target)?;
            Target::parse(&json).map_err(KitError::Target)?;
        }
        Ok(Self {
            household: payload.household,
            box_name: payload.box_name,
            target: payload.target,
            key: BackupKey::from_bytes(key),
            made: payload.made,
        })
    }

    fn typed(text: &str) -> Result<Self, KitError> {
        let (household, key) = code::read_lines(text)?;
        Ok(Self { household, box_name: String::new(), target: None, key, made: 0 })
    }
}

/// What the QR code holds: kind, version and checksum before it.
pub(crate) fn with_checksum(json: &str) -> Zeroizing<String> {
    let check = sha256_hex(json.as_bytes());
    Zeroizing::new(format!("{KIND}:{VERSION}:{}:{json}", &check[..16]))
}

fn check_name(name: &str) -> Result<(), KitError> {
    let fits = name.chars().count() <= 64 && !name.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(KitError::Field { field: "box name" }) }
}

#[cfg(test)]
mod tests;
