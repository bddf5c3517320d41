//! An update on a USB stick: the file at its top, as an owner without internet copied it there.

use super::Updates;
use super::error::StepError;
use super::error::UpdatesError;
use super::work::Turns;
use super::work::When;
use crate::app::App;
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// What files with updates end with.
const SUFFIX: &str = ".bundle";
/// Names that are looked at, of a stick with everything on it.
const MAX_NAMES: usize = 100_000;

impl Updates {
    /// Mounts the stick that is plugged in, takes the highest version for this board from it, and has it written.
    ///
    /// # Errors
    ///
    /// When there is no stick, no update on it, or it is no update for this box; or a backup uses a disk.
    pub async fn take_stick(&self, app: &Arc<App>, turn: Turns, when: When) -> Result<String, UpdatesError> {
        // There is one place where disks are mounted.
        let _disk = app.backups.take_turn().map_err(|_busy| StepError::DiskInUse)?;
        let board =
            app.boot.as_ref().map(|boot| boot.board.clone()).ok_or(StepError::Unknown { what: "board" })?;
        let mounted = app.storaged.mount_backup_disk(String::new()).await.map_err(StepError::Stick)?;
        let top = PathBuf::from(mounted.mounted_at.unwrap_or(mounted.folder));
        let found = tokio::task::spawn_blocking(move || open_newest(&top, &board)).await;
        let taken = match found.map_err(StepError::Thread).flatten() {
            Ok(file) => self.take_bundle(app, (turn, file), when).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = app.storaged.unmount_backup_disk().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the stick is still mounted");
        }
        taken
    }
}

/// The file at the top whose name has the highest version for this board.
fn open_newest(top: &Path, board: &str) -> Result<File, StepError> {
    let failed = |doing, path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| StepError::StickFile { doing, path, source }
    };
    let names = fs::read_dir(top).map_err(failed("list", top))?.take(MAX_NAMES).flatten();
    let newest =
        names.filter_map(|entry| version(entry.file_name().to_str()?, board).zip(Some(entry.path()))).max();
    let (_version, path) = newest.ok_or_else(|| StepError::NotOnStick { board: board.to_owned() })?;
    File::open(&path).map_err(failed("open", &path))
}

/// Of `hearth_<board>_<version>.bundle`; none of any other name.
fn version(name: &str, board: &str) -> Option<slots::Version> {
    let rest = name.strip_prefix("hearth_")?.strip_prefix(board)?.strip_prefix('_')?;
    rest.strip_suffix(SUFFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn the_highest_version_for_this_board_is_taken() {
        let stick = tempfile::tempdir().unwrap();
        let refused = open_newest(stick.path(), "x86_64").unwrap_err();
        assert!(refused.words().contains("hearth_x86_64_"), "{}", refused.words());
        for name in [
            "hearth_x86_64_1.9.bundle",
            "hearth_x86_64_1.10.bundle",
            "hearth_rpi4_2.bundle",
            "hearth_x86_64_3.bundle.part",
            "hearth_x86_64_.bundle",
            "holiday.jpg",
        ] {
            fs::write(stick.path().join(name), name).unwrap();
        }
        let mut text = String::new();
        open_newest(stick.path(), "x86_64").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "hearth_x86_64_1.10.bundle");
    }
}
