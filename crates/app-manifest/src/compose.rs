//! `docker-compose.yml` → [`Manifest`].
//!
//! Whatever changes what an app does is either done or refused; what is left out without harm is told as a note. Nothing is passed
//! over in silence but `x-…` keys, which are for other programs.
//!
//! [`yaml`] reads a bounded tree, [`interpolate`] puts in variables, [`project`] goes through the document with one file for each
//! hard part. The outcome is a JSON document that is checked as any `hearth.json` is.

mod command;
mod desk;
mod interpolate;
mod keys;
mod mounts;
mod ports;
mod project;
mod quantity;
mod service;
mod yaml;

use crate::manifest::Manifest;
use crate::mistakes::Mistakes;
use crate::read::MAX_BYTES;
use crate::text::Line;
use crate::text::Version;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Most bytes of a `docker-compose.yml`.
pub const MAX_COMPOSE_BYTES: usize = 128 << 10;

/// Variables that have a value without being given one, and what it is. `APP_DATA_DIR` is the app's own folder, below which each path
/// becomes a folder that lasts.
pub const VARIABLES: [(&str, &str); 7] = [
    ("APP_DATA_DIR", "."),
    ("APP_ID", "app"),
    ("AppID", "app"),
    ("GID", "1000"),
    ("PGID", "1000"),
    ("PUID", "1000"),
    ("TZ", "Etc/UTC"),
];

/// What a `docker-compose.yml` does not say.
#[derive(Clone, Debug)]
pub struct Import {
    /// What the app is called.
    pub title: Line,
    /// Its version.
    pub version: Version,
    /// Values of variables, beside and before [`VARIABLES`].
    pub variables: BTreeMap<String, String>,
}

/// An imported app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The manifest.
    pub manifest: Manifest,
    /// What was left out or done otherwise, in the order of the file.
    pub notes: Vec<Remark>,
}

/// Something about one place of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// Where: `services.web.ports[0]`.
    pub place: String,
    /// Line of the file, from 1; none for what came out of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// A sentence without a full stop.
    pub words: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{} (line {line}): {}", self.place, self.words),
            None => write!(f, "{}: {}", self.place, self.words),
        }
    }
}

/// Why a `docker-compose.yml` is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// Too long.
    #[error("the file has {0} bytes; {MAX_COMPOSE_BYTES} are the most")]
    TooLarge(usize),
    /// No text.
    #[error("the file is not UTF-8 text")]
    NoText,
    /// No YAML, or more of it than an app needs.
    #[error("line {line}, column {column}: {what}")]
    Yaml {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong.
        what: String,
    },
    /// It asks for what no app may have, or what is not understood: all places, at least one.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Remark>),
}

/// Turns a `docker-compose.yml` into a manifest.
///
/// # Errors
/// All that cannot be honoured, with its place.
pub fn import_compose(bytes: &[u8], import: &Import) -> Result<Imported, ComposeError> {
    if bytes.len() > MAX_COMPOSE_BYTES {
        return Err(ComposeError::TooLarge(bytes.len()));
    }
    let text = std::str::from_utf8(bytes).ok().ok_or(ComposeError::NoText)?;
    let root = yaml::read(text)?;
    let mut desk = desk::Desk::new(&import.variables);
    let document = project::convert(&root, import, &mut desk);
    let (refusals, notes) = desk.outcome();
    if !refusals.is_empty() {
        return Err(ComposeError::Refused(refusals));
    }
    let length = document.to_string().len();
    if length > MAX_BYTES {
        let mut mistakes = Mistakes::default();
        mistakes.add("", format!("the manifest would have {length} bytes; {MAX_BYTES} are the most"));
        return Err(refused(mistakes));
    }
    let manifest = Manifest::from_value(document).map_err(refused)?;
    Ok(Imported { manifest, notes })
}

fn refused(mistakes: Mistakes) -> ComposeError {
    let remark = |mistake: crate::Mistake| Remark {
        place: mistake.pointer.trim_start_matches('/').replace('/', "."),
        line: None,
        words: mistake.sentence,
    };
    ComposeError::Refused(mistakes.0.into_iter().map(remark).collect())
}

#[cfg(test)]
mod tests;
