//! What starts the kernel, and the disk around it: by UEFI firmware, a loader and one slot file, or by a Raspberry Pi's firmware and a folder
//! of files.

use super::BuildError;
use super::BuildInputs;
use super::Fetched;
use super::at;
use super::record;
use super::write;
use crate::cpio::Archive;
use crate::cpio::CpioError;
use crate::disk;
use crate::disk::DiskPlan;
use crate::disk::Loader;
use crate::disk::SlotFile;
use crate::disk::pi::PiPlan;
use crate::manifest::Arch;
use crate::manifest::Boot;
use crate::manifest::Manifest;
use crate::manifest::Pi;
use crate::measure;
use crate::overlays;
use crate::parts::PartsError;
use crate::parts::Unpacked;
use crate::pe::Layout;
use crate::policy::PolicySigner;
use crate::slot;
use crate::slot::SlotInputs;
use crate::slot::SlotParts;
use flate2::Compression;
use flate2::GzBuilder;
use slots::Version;
use slots::pi::archive::BOARD;
use slots::pi::archive::PERMISSIONS;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

/// What was written.
pub(super) struct Started {
    /// The slot file: the one that is started, or the archive of a side's files.
    pub(super) slot: PathBuf,
    /// Each of the slot's files.
    pub(super) files: Vec<PathBuf>,
    pub(super) approval: Option<record::Approval>,
}

/// Writes the loader to `parts/`, signed if the slot is, and returns the one that goes on the disk and into the root. Boards whose firmware
/// starts the kernel by itself have none.
pub(super) fn loader(
    inputs: &BuildInputs<'_>,
    manifest: &Manifest,
    fetched: &Fetched,
    parts: &SlotParts,
) -> Result<Option<Loader>, BuildError> {
    let Boot::Uefi(uefi) = &manifest.parts.boot else { return Ok(None) };
    let loader = |file: PathBuf| {
        let (removable_name, installed_name) = (uefi.removable_name.clone(), uefi.installed_name.clone());
        Ok(Some(Loader { file, removable_name, installed_name }))
    };
    let from = fetched.board.get(&uefi.package)?.file(&uefi.loader)?;
    let path = parts.path("loader.efi");
    write(&path, &read_for(manifest.board.arch, &from)?)?;
    let Some(signer) = inputs.signer else { return loader(path) };
    let signed = signer.sign(&parts.read("loader.efi")?).map_err(BuildError::SignLoader)?;
    let path = parts.path("loader.signed.efi");
    write(&path, &signed)?;
    loader(path)
}

/// The kernel of an unpacked package, where older and newer packages have it.
pub(super) fn kernel(package: &Unpacked, release: &str) -> Result<PathBuf, PartsError> {
    package
        .file(&format!("/boot/vmlinuz-{release}"))
        .or_else(|_elsewhere| package.file(&format!("/usr/lib/modules/{release}/vmlinuz")))
}

/// A PE file that must be for the board's architecture.
pub(super) fn read_for(arch: Arch, path: &Path) -> Result<Vec<u8>, BuildError> {
    let bytes = fs::read(path).map_err(at(path))?;
    let found = Layout::of(&bytes)
        .and_then(|layout| layout.machine(&bytes))
        .map_err(|source| BuildError::Pe { path: path.to_owned(), source })?;
    let wanted = arch.pe_machine();
    if found != wanted {
        return Err(BuildError::WrongMachine { path: path.to_owned(), found, wanted });
    }
    Ok(bytes)
}

/// Writes slot file and disk for UEFI firmware.
pub(super) fn write_uefi(
    inputs: &BuildInputs<'_>,
    manifest: &Manifest,
    loader: Option<&Loader>,
    parts: &SlotParts,
    cache: &Path,
    image: &Path,
) -> Result<Started, BuildError> {
    let slot = inputs.out.join("slot.efi");
    let approval = write_slot(inputs, parts, cache, &slot)?;
    inputs.progress.step("Writing the disk image");
    let name = format!("hearth_{}.efi", inputs.version);
    let loader = loader.ok_or(BuildError::NoLoader)?.clone();
    let plan = DiskPlan {
        loader,
        slots: vec![SlotFile { name, file: slot.clone() }],
        esp_mib: manifest.disk.esp_mib,
        data_mib: manifest.disk.data_mib,
    };
    disk::write(&plan, image)?;
    Ok(Started { files: vec![slot.clone()], slot, approval: Some(approval) })
}

/// What [`write_pi`] writes, and from what.
#[derive(Clone, Copy)]
pub(super) struct PiBoard<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) pi: &'a Pi,
    pub(super) fetched: &'a Fetched,
    pub(super) release: &'a str,
}

/// Writes a slot's files and the disk for the firmware of a Raspberry Pi.
pub(super) fn write_pi(
    inputs: &BuildInputs<'_>,
    board: PiBoard<'_>,
    parts: &SlotParts,
    image: &Path,
) -> Result<Started, BuildError> {
    let side = side(inputs, board, parts)?;
    let slot = inputs.out.join("slot");
    if slot.exists() {
        fs::remove_dir_all(&slot).map_err(at(&slot))?;
    }
    fs::create_dir_all(&slot).map_err(at(&slot))?;
    let mut files = Vec::new();
    for (name, content) in &side {
        let path = slot.join(name);
        write(&path, content)?;
        files.push(path);
    }
    let update = inputs.out.join("slot.pi");
    write(&update, &archive(&side).map_err(BuildError::Archive)?)?;
    files.push(update.clone());
    inputs.progress.step("Writing the disk image");
    let disk = &board.manifest.disk;
    disk::pi::write(&PiPlan { files: &side, side_mib: disk.esp_mib, data_mib: disk.data_mib }, image)?;
    Ok(Started { slot: update, files, approval: None })
}

/// All files of a side, sorted by name: the firmware looks for each at the top.
fn side(
    inputs: &BuildInputs<'_>,
    board: PiBoard<'_>,
    parts: &SlotParts,
) -> Result<Vec<(String, Vec<u8>)>, BuildError> {
    let PiBoard { manifest, pi, fetched, release } = board;
    let version: Version = inputs
        .version
        .parse()
        .map_err(|source| BuildError::Version { version: inputs.version.to_owned(), source })?;
    let mut from = Vec::new();
    if let Some(package) = &pi.package {
        let package = fetched.board.get(package)?;
        for path in &pi.firmware {
            from.push(package.file(path)?);
        }
    }
    let kernel = fetched.board.kernel()?;
    for name in &pi.device_trees {
        from.push(
            kernel
                .file(&format!("/usr/lib/linux-image-{release}/{name}"))
                .or_else(|_elsewhere| kernel.file(&format!("/usr/lib/modules/{release}/dtb/{name}")))?,
        );
    }
    let sources = inputs.repo.join("image/overlays");
    let overlays = overlays::compile(&sources, &manifest.parts.overlays, &fetched.tools, inputs.out)?;
    let more = if overlays.is_empty() { "" } else { overlays::CONFIG };
    let mut files = vec![
        ("config.txt".to_owned(), format!("{}{more}", pi.config).into_bytes()),
        ("cmdline.txt".to_owned(), format!("{}\n", parts.cmdline()?).into_bytes()),
        // A third of the size: a card reads more slowly than the processor unpacks.
        ("vmlinuz".to_owned(), gzip(&parts.read("vmlinuz")?).map_err(at(&parts.path("vmlinuz")))?),
        ("initrd".to_owned(), parts.read("initrd")?),
        (slots::pi::LABEL.to_owned(), slots::pi::label(&version).into_bytes()),
        (BOARD.to_owned(), format!("{}\n", inputs.board).into_bytes()),
    ];
    for path in from {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((name, fs::read(&path).map_err(at(&path))?));
    }
    files.extend(overlays);
    files.sort();
    Ok(files)
}

/// The update file: a side's files in one archive, what it is for first (`slots::pi::archive`).
fn archive(side: &[(String, Vec<u8>)]) -> Result<Vec<u8>, CpioError> {
    let first = |name: &str| {
        [slots::pi::LABEL, BOARD].iter().position(|wanted| *wanted == name).unwrap_or(usize::MAX)
    };
    let mut files: Vec<&(String, Vec<u8>)> = side.iter().collect();
    files.sort_by(|(left, _), (right, _)| (first(left), left).cmp(&(first(right), right)));
    let mut archive = Archive::default();
    for (name, content) in files {
        archive.file(name, PERMISSIONS, content)?;
    }
    Ok(archive.finish())
}

/// Without a time stamp and file name, so that equal content gives equal bytes.
fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Writes the slot file, approved and, where a key was given, signed for Secure Boot.
fn write_slot(
    inputs: &BuildInputs<'_>,
    parts: &SlotParts,
    cache: &Path,
    slot: &Path,
) -> Result<record::Approval, BuildError> {
    let development;
    let policy = match inputs.policy {
        Some(policy) => policy,
        None => {
            development = PolicySigner::development(cache, inputs.progress)?;
            &development
        }
    };
    let slot_inputs = SlotInputs {
        parts,
        root: None,
        cmdline: None,
        os_release: None,
        extra: &[],
        policy: Some(policy),
        signer: inputs.signer,
    };
    let bytes = slot::build_slot(&slot_inputs)?;
    write(slot, &bytes)?;
    Ok(record::Approval { pcr_11: measure::pcr_11(&bytes)?, policy_key: policy.public().fingerprint() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use slots::pi::archive::Reader;
    use std::io::Read as _;

    #[test]
    fn the_archive_of_a_side_is_what_boxes_read() {
        let file = |name: &str, content: &[u8]| (name.to_owned(), content.to_vec());
        let mut side = vec![
            file("vmlinuz", &[1; 1001]),
            file("a.dtb", b"tree"),
            file(slots::pi::LABEL, b"1.2\n"),
            file(BOARD, b"rpi4\n"),
        ];
        side.sort();
        let bytes = archive(&side).unwrap();
        let mut reader = Reader::open(bytes.as_slice()).unwrap();
        assert_eq!((reader.version().as_str(), reader.board()), ("1.2", "rpi4"));
        let mut found = Vec::new();
        while let Some(member) = reader.next_member().unwrap() {
            let mut content = Vec::new();
            reader.read_to_end(&mut content).unwrap();
            found.push((member.title.to_string(), content));
        }
        assert_eq!(found, [file("a.dtb", b"tree"), file("vmlinuz", &[1; 1001])]);
        assert_eq!(bytes, archive(&side).unwrap());
    }

    #[test]
    fn a_kernel_for_other_machines_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vmlinuz");
        fs::write(&path, crate::pe::tests::stub(0)).unwrap();
        read_for(Arch::Amd64, &path).unwrap();
        let error = read_for(Arch::Arm64, &path).unwrap_err().to_string();
        assert!(error.ends_with("is for machines of type 0x8664, not for the board's, 0xaa64"), "{error}");
        fs::write(&path, "#!/bin/sh").unwrap();
        assert!(matches!(read_for(Arch::Amd64, &path), Err(BuildError::Pe { .. })));
    }
}
