//! The tables.

use crate::Target;

mod apps;
mod backups;
mod disk;
mod dns;
mod documents;
mod flash;
mod images;
mod kernel;
mod leases;
mod slots;
mod time;
mod updates;
mod vault;
mod web;

/// By where the bytes come from.
pub(crate) const TABLES: [&[Target]; 14] = [
    leases::TARGETS,
    dns::TARGETS,
    time::TARGETS,
    kernel::TARGETS,
    documents::TARGETS,
    images::TARGETS,
    web::TARGETS,
    disk::TARGETS,
    slots::TARGETS,
    vault::TARGETS,
    apps::TARGETS,
    backups::TARGETS,
    updates::TARGETS,
    flash::TARGETS,
];

/// The parts of an input that stand for messages after each other: a length of one byte before each.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first()?;
        let (message, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        bytes = rest;
        Some(message)
    })
}

/// An input that must be text.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// What a decoder returns is not looked at; that it returns is what counts.
fn ignore<T>(_what: T) {}
