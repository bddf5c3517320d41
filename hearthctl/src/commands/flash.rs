//! Putting an image on a disk. No box has a part in it.

mod bar;
mod failure;
mod preset;

pub(crate) use failure::FlashFailure;

use super::Desk;
use super::Failure;
use crate::cli::EvenIf;
use crate::cli::Flash;
use crate::show;
use bar::Bar;
use flash::device::Device;
use flash::device::Sharing;
use flash::disks;
use flash::disks::Disk;
use flash::disks::Objection;
use flash::disks::linux;
use flash::source;
use flash::source::Asked;
use flash::source::Image;
use flash::write;
use flash::write::Wish;
use flash::write::WriteError;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::Instant;

pub(super) fn carry_out(desk: &mut Desk<'_>, wish: &Flash) -> Result<(), Failure> {
    match (&wish.image, &wish.disk) {
        (None, _) => list(desk, wish.all),
        (Some(_), None) => {
            let disks = seen()?;
            desk.terminal.complain(show::disks(&disks, false).trim_end());
            Err(FlashFailure::NoDisk.into())
        }
        (Some(image), Some(disk)) => put(desk, wish, image, disk),
    }
}

fn seen() -> Result<Vec<Disk>, FlashFailure> {
    let snapshot = linux::look().map_err(|source| FlashFailure::Look { source })?;
    Ok(disks::disks(&snapshot))
}

fn list(desk: &mut Desk<'_>, all: bool) -> Result<(), Failure> {
    let mut disks = seen()?;
    if desk.json && !all {
        disks.retain(|disk| disk.removable);
    }
    desk.answer(&json!(disks), || Ok(show::disks(&disks, all)))
}

fn put(desk: &mut Desk<'_>, wish: &Flash, image: &Path, path: &Path) -> Result<(), Failure> {
    // First: it costs nothing, and nobody is asked for secrets in vain.
    let called = chosen(path, &wish.even_if)?;
    let mut bar = Bar::new(desk.terminal);
    let asked = Asked { sha256: wish.sha256, map: wish.map.as_deref() };
    let mut image = source::open(image, asked, &mut |done, total| bar.checking(done, total))
        .map_err(FlashFailure::Source)?;
    let sharing = match wish.even_if.iter().any(|even_if| *even_if != EvenIf::Internal) {
        true => Sharing::Shared,
        false => Sharing::Alone,
    };
    let mut device =
        Device::open(path, sharing).map_err(|source| FlashFailure::Open { path: path.to_owned(), source })?;
    let has = flash::target::Target::size(&device);
    if has < image.size {
        return Err(FlashFailure::Write(WriteError::TooSmall { needs: image.size, has }).into());
    }
    let preset = preset::decide(desk, &wish.preset)?;
    if !wish.yes {
        confirm(desk, &called, path)?;
    }
    let begun = Instant::now();
    let content = if preset.is_empty() { None } else { preset.encode() };
    let written = written(desk, &mut image, content.as_ref().map(|content| content.as_slice()), &mut device)?;
    let done = show::Flashed {
        disk: &called,
        written,
        seconds: begun.elapsed().as_secs(),
        checked_by: &image.checked_by,
        is_mapped: image.map.is_some(),
        preset: &preset,
    };
    let answer = json!({
        "disk": path, "bytes_written": written.bytes, "bytes_left_out": written.skipped, "seconds": done.seconds,
        "sha256": image.digest, "checked_by": image.checked_by,
        "claim_code": preset.claim_code, "url": show::claim_url(&preset),
    });
    desk.answer(&answer, || Ok(show::flashed(&done)))
}

fn written(
    desk: &mut Desk<'_>,
    image: &mut Image,
    preset: Option<&[u8]>,
    device: &mut Device,
) -> Result<write::Written, FlashFailure> {
    let map = image.map.clone();
    let wish = Wish { size: image.size, map: map.as_ref(), whole: image.whole, preset };
    let mut stream = image.stream().map_err(FlashFailure::Source)?;
    write::write(&wish, &mut stream, device, &mut Bar::new(desk.terminal)).map_err(FlashFailure::Write)
}

/// What is to be written, as its user knows it; not, when nobody can mean it.
fn chosen(path: &Path, even_if: &[EvenIf]) -> Result<String, FlashFailure> {
    let at = |source| FlashFailure::Open { path: path.to_owned(), source };
    let Some(number) = linux::number(path).map_err(at)? else {
        let is_file = fs::metadata(path).map_err(at)?.is_file();
        return if is_file {
            Ok(path.display().to_string())
        } else {
            Err(FlashFailure::NoSuchDisk { path: path.to_owned() })
        };
    };
    let snapshot = linux::look().map_err(|source| FlashFailure::Look { source })?;
    let node = snapshot.nodes.iter().find(|node| node.number == number);
    if let Some(whole) = node.and_then(|node| node.partition_of.as_deref()) {
        return Err(FlashFailure::Partition { path: path.to_owned(), disk: format!("/dev/{whole}") });
    }
    let disks = disks::disks(&snapshot);
    let disk = disks.into_iter().find(|disk| node.is_some_and(|node| node.name == disk.name));
    let disk = disk.ok_or_else(|| FlashFailure::NoSuchDisk { path: path.to_owned() })?;
    let open: Vec<Objection> = disk
        .objections
        .iter()
        .copied()
        .filter(|objection| !even_if.iter().any(|even_if| even_if.answers(*objection)))
        .collect();
    if open.is_empty() {
        Ok(show::called(&disk))
    } else {
        Err(FlashFailure::Objections { disk: Box::new(disk), open })
    }
}

fn confirm(desk: &mut Desk<'_>, called: &str, path: &Path) -> Result<(), Failure> {
    if !desk.terminal.has_person() {
        return Err(FlashFailure::NobodyConfirms.into());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    desk.terminal.complain(&format!("Everything on {called} will be erased, and nobody can bring it back."));
    let typed = desk.terminal.ask(&format!("To go on, type {name}:"));
    let typed = typed.map_err(|source| Failure::Ask { source })?;
    if typed.trim() == name { Ok(()) } else { Err(Failure::NotAgreed) }
}
