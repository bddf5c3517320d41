//! Carrying a plan out, on whatever kind of place slots lie.

use std::error::Error;
use std::fmt;

use slots::Effect;
use slots::Restart;

use crate::notebook::Notebook;
use crate::notebook::NotebookError;

/// Where slots lie: [`Esp`](crate::esp::Esp) on boards with UEFI.
pub trait Site {
    /// The name of a slot, or of a part of it.
    type Place: fmt::Display;
    /// Why something was not done.
    type Error: Error + Send + Sync + 'static;

    /// Removes what is there; nothing there is fine.
    ///
    /// # Errors
    /// When it is not done.
    fn remove(&mut self, place: &Self::Place) -> Result<(), Self::Error>;
    /// Writes the content that belongs there.
    ///
    /// # Errors
    /// When it is not done.
    fn write(&mut self, place: &Self::Place) -> Result<(), Self::Error>;
    /// Makes the content durable.
    ///
    /// # Errors
    /// When it is not done.
    fn sync(&mut self, place: &Self::Place) -> Result<(), Self::Error>;
    /// Reads the content back from the disk and compares it.
    ///
    /// # Errors
    /// When it differs, or cannot be read.
    fn verify(&mut self, place: &Self::Place) -> Result<(), Self::Error>;
    /// Renames, replacing what has the new name, in one step.
    ///
    /// # Errors
    /// When it is not done.
    fn rename(&mut self, from: &Self::Place, to: &Self::Place) -> Result<(), Self::Error>;
    /// Makes the names beside this place durable.
    ///
    /// # Errors
    /// When it is not done.
    fn sync_folder(&mut self, place: &Self::Place) -> Result<(), Self::Error>;
    /// Tells the firmware or loader to choose this place once.
    ///
    /// # Errors
    /// When it is not done.
    fn choose_once(&mut self, place: &Self::Place) -> Result<(), Self::Error>;
}

/// The effect that was not done; nothing behind it was begun.
#[derive(Debug, thiserror::Error)]
pub enum EffectError<E: Error + 'static> {
    /// A note.
    #[error(transparent)]
    Note(#[from] NotebookError),
    /// On the disk.
    #[error("{doing}")]
    Site {
        /// What was being done to what.
        doing: String,
        /// Why it was not done.
        source: E,
    },
}

/// Does one effect after the other. A restart is the last one, and left to the caller.
///
/// # Errors
/// With the first effect that fails.
pub fn run<S: Site>(
    effects: &[Effect<S::Place>],
    site: &mut S,
    notebook: &mut Notebook,
) -> Result<Option<Restart>, EffectError<S::Error>> {
    for effect in effects {
        let (doing, place, done) = match effect {
            Effect::Note(note) => {
                notebook.apply(note)?;
                continue;
            }
            Effect::Restart(restart) => return Ok(Some(*restart)),
            Effect::Remove(place) => ("removing", place, site.remove(place)),
            Effect::Write(place) => ("writing", place, site.write(place)),
            Effect::Sync(place) => ("making durable", place, site.sync(place)),
            Effect::Verify(place) => ("reading back", place, site.verify(place)),
            Effect::Rename { from, to } => ("renaming to", to, site.rename(from, to)),
            Effect::SyncFolder(place) => ("making the folder durable of", place, site.sync_folder(place)),
            Effect::ChooseOnce(place) => ("choosing", place, site.choose_once(place)),
        };
        done.map_err(|source| EffectError::Site { doing: format!("{doing} {place}"), source })?;
    }
    Ok(None)
}
