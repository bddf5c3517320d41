//! A slot file: stub, kernel, command line and initrd in one PE file (UAPI group, "Unified Kernel Image").
//!
//! [`SlotParts`] is the folder a build leaves behind. Tests build variants of a slot from it: another command line, a damaged
//! root, more files in the initrd, a signature.

use crate::cpio;
use crate::cpio::CpioError;
use crate::digest::Sha256;
use crate::measure;
use crate::measure::MeasureError;
use crate::pe;
use crate::pe::Layout;
use crate::pe::PeError;
use crate::pe::Section;
use crate::policy::PolicyError;
use crate::policy::PolicySigner;
use crate::sign::SignError;
use crate::sign::Signer;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// The parts of a slot as a build leaves them in `parts/`:
/// `stub.efi`, `loader.efi`, `vmlinuz`, `init`, `modules/`, `root.erofs`, `cmdline`, `initrd`, `os-release`, `uname`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotParts {
    folder: PathBuf,
}

/// A file to add to an initrd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraFile {
    /// Path in the initrd, such as `agent`.
    pub name: String,
    /// Permission bits.
    pub mode: u32,
    /// Its content.
    pub content: Vec<u8>,
}

/// What a slot is made from; what is `None` is taken from the parts as they are.
#[derive(Clone, Copy, Debug)]
pub struct SlotInputs<'a> {
    /// The parts.
    pub parts: &'a SlotParts,
    /// Another `root.erofs`.
    pub root: Option<&'a [u8]>,
    /// Another command line, whole.
    pub cmdline: Option<&'a str>,
    /// Another `os-release`, by whose version the loader sorts.
    pub os_release: Option<&'a str>,
    /// More files in the initrd.
    pub extra: &'a [ExtraFile],
    /// Approves what the slot will measure; without one, nothing that is sealed opens under it.
    pub policy: Option<&'a PolicySigner>,
    /// Signs the slot for Secure Boot.
    pub signer: Option<&'a Signer>,
}

/// A slot cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// A part cannot be read or written.
    #[error("cannot use the slot part {path}")]
    Part {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The initrd cannot be written.
    #[error("cannot write the initrd")]
    Initrd(#[source] CpioError),
    /// The stub or the kernel is no PE file, or there is no room.
    #[error("cannot put the slot file together")]
    Pe(#[source] PeError),
    /// What the slot will measure cannot be told.
    #[error("cannot tell what the slot file will measure")]
    Measure(#[source] MeasureError),
    /// The slot cannot be approved.
    #[error("cannot approve what the slot file will measure")]
    Approve(#[source] PolicyError),
    /// The slot cannot be signed.
    #[error("cannot sign the slot file")]
    Sign(#[source] SignError),
}

impl SlotParts {
    /// The parts in `folder`.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Path of a part.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Content of a part.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, SlotError> {
        let path = self.path(name);
        fs::read(&path).map_err(|source| SlotError::Part { path, source })
    }

    /// The command line of the build.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn cmdline(&self) -> Result<String, SlotError> {
        let path = self.path("cmdline");
        let text = fs::read_to_string(&path).map_err(|source| SlotError::Part { path, source })?;
        Ok(text.trim_end().to_owned())
    }
}

/// The command line of a slot: the manifest's words, then ours (docs/spec/boot.md).
#[must_use]
pub fn cmdline(words: &[String], root: Sha256, version: &str, board: &str) -> String {
    format!("{} hearth.root=sha256:{root} hearth.version={version} hearth.board={board}", words.join(" "))
}

/// Writes the initrd: `/init`, `/modules`, `/root.erofs` and the extra files.
///
/// # Errors
/// When a part is missing or an extra file has an odd name.
pub fn build_initrd(
    parts: &SlotParts,
    root: Option<&[u8]>,
    extra: &[ExtraFile],
) -> Result<Vec<u8>, SlotError> {
    let mut archive = cpio::Archive::default();
    archive.file("init", 0o755, &parts.read("init")?).map_err(SlotError::Initrd)?;
    archive.folder("modules").map_err(SlotError::Initrd)?;
    let order = parts.read("modules/order")?;
    archive.file("modules/order", 0o644, &order).map_err(SlotError::Initrd)?;
    for name in String::from_utf8_lossy(&order).lines() {
        let name = format!("modules/{name}");
        archive.file(&name, 0o644, &parts.read(&name)?).map_err(SlotError::Initrd)?;
    }
    let own_root = if root.is_none() { parts.read("root.erofs")? } else { Vec::new() };
    archive.file("root.erofs", 0o444, root.unwrap_or(&own_root)).map_err(SlotError::Initrd)?;
    for file in extra {
        archive.file(&file.name, file.mode, &file.content).map_err(SlotError::Initrd)?;
    }
    Ok(archive.finish())
}

/// Builds a slot file.
///
/// # Errors
/// When a part is missing or damaged, or the slot cannot be signed.
pub fn build_slot(inputs: &SlotInputs<'_>) -> Result<Vec<u8>, SlotError> {
    let parts = inputs.parts;
    let initrd = if inputs.root.is_none() && inputs.extra.is_empty() {
        parts.read("initrd")?
    } else {
        build_initrd(parts, inputs.root, inputs.extra)?
    };
    let own_cmdline = parts.cmdline()?;
    let kernel = parts.read("vmlinuz")?;
    let memory = Layout::of(&kernel).and_then(|layout| layout.image_size(&kernel)).map_err(SlotError::Pe)?;
    let (stub, os_release, uname) =
        (parts.read("stub.efi")?, parts.read("os-release")?, parts.read("uname")?);
    let section = |name, data| Section { name, data, memory: 0 };
    let assemble = |approval: &[Section<'_>]| {
        let head = [
            section(".osrel", inputs.os_release.map_or(os_release.as_slice(), str::as_bytes)),
            section(".uname", &uname),
            section(".cmdline", inputs.cmdline.unwrap_or(&own_cmdline).as_bytes()),
        ];
        let tail = [
            section(".initrd", &initrd),
            // Last, with the memory it wants: a kernel that unpacks in place must not run into another section.
            Section { name: ".linux", data: &kernel, memory },
        ];
        pe::append(&stub, &[&head, approval, &tail].concat()).map_err(SlotError::Pe)
    };
    let slot = match inputs.policy {
        None => assemble(&[])?,
        Some(policy) => {
            let key = section(".pcrpkey", policy.public_pem().as_bytes());
            // The signature itself is not measured, so a slot without it measures the same.
            let register = measure::pcr_11(&assemble(&[key])?).map_err(SlotError::Measure)?;
            let signatures = policy.approve(register).map_err(SlotError::Approve)?.to_json();
            assemble(&[key, section(".pcrsig", signatures.as_bytes())])?
        }
    };
    match inputs.signer {
        Some(signer) => signer.sign(&slot).map_err(SlotError::Sign),
        None => Ok(slot),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use object::Object;
    use object::ObjectSection;
    use object::read::pe::PeFile64;

    fn parts() -> (tempfile::TempDir, SlotParts) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("modules")).unwrap();
        let stub = pe::tests::stub(8);
        for (name, content) in [
            ("stub.efi", stub.as_slice()),
            ("vmlinuz", &stub),
            ("init", b"init"),
            ("root.erofs", b"root"),
            ("modules/order", b"a.ko\nb.ko\n"),
            ("modules/a.ko", b"a"),
            ("modules/b.ko", b"b"),
            ("os-release", b"ID=hearth\n"),
            ("uname", b"6.12"),
            ("cmdline", b"quiet\n"),
        ] {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let parts = SlotParts::new(folder.path());
        fs::write(folder.path().join("initrd"), build_initrd(&parts, None, &[]).unwrap()).unwrap();
        (folder, parts)
    }

    fn text(slot: &[u8], name: &str) -> Vec<u8> {
        let file = PeFile64::parse(slot).unwrap();
        let section = file.section_by_name(name).unwrap();
        let data = section.data().unwrap();
        data[..data.len().min(usize::try_from(section.size()).unwrap())].to_vec()
    }

    #[test]
    fn a_slot_holds_what_the_specification_asks_for() {
        let (_folder, parts) = parts();
        let inputs = SlotInputs {
            parts: &parts,
            root: None,
            cmdline: None,
            os_release: None,
            extra: &[],
            policy: None,
            signer: None,
        };
        let slot = build_slot(&inputs).unwrap();
        assert_eq!(text(&slot, ".cmdline"), b"quiet");
        assert_eq!(text(&slot, ".osrel"), b"ID=hearth\n");
        assert_eq!(text(&slot, ".uname"), b"6.12");
        assert_eq!(text(&slot, ".initrd"), parts.read("initrd").unwrap());
        assert_eq!(build_slot(&inputs).unwrap(), slot);
    }

    #[test]
    fn an_approved_slot_measures_what_its_signature_says() {
        let (folder, parts) = parts();
        let policy = PolicySigner::development(folder.path(), &Silent).unwrap();
        let inputs = SlotInputs {
            parts: &parts,
            root: None,
            cmdline: None,
            os_release: None,
            extra: &[],
            policy: Some(&policy),
            signer: None,
        };
        let slot = build_slot(&inputs).unwrap();
        assert_eq!(text(&slot, ".pcrpkey"), policy.public_pem().as_bytes());
        let approved = pcr::policy_pcr(&[(11, measure::pcr_11(&slot).unwrap())]);
        let signatures = pcr::Signatures::from_json(&text(&slot, ".pcrsig")).unwrap();
        let choice = signatures.choose(policy.public(), &[11], &approved);
        assert!(matches!(choice, pcr::Choice::Found(_)), "{choice:?}");
        assert_eq!(build_slot(&inputs).unwrap(), slot);

        let other = build_slot(&SlotInputs { cmdline: Some("panic=1"), ..inputs }).unwrap();
        assert_ne!(measure::pcr_11(&other), measure::pcr_11(&slot));
        let unapproved = build_slot(&SlotInputs { policy: None, ..inputs }).unwrap();
        assert_ne!(measure::pcr_11(&unapproved), measure::pcr_11(&slot), "the key is measured too");
    }

    #[test]
    fn variants_differ_only_where_asked() {
        let (_folder, parts) = parts();
        let agent = ExtraFile { name: "agent".to_owned(), mode: 0o755, content: b"AGENT".to_vec() };
        let extra = [agent];
        let inputs = SlotInputs {
            parts: &parts,
            root: Some(b"other"),
            cmdline: Some("panic=1"),
            os_release: Some("IMAGE_VERSION=2\n"),
            extra: &extra,
            policy: None,
            signer: None,
        };
        let slot = build_slot(&inputs).unwrap();
        assert_eq!(text(&slot, ".cmdline"), b"panic=1");
        assert_eq!(text(&slot, ".osrel"), b"IMAGE_VERSION=2\n");
        let initrd = text(&slot, ".initrd");
        let has = |needle: &[u8]| initrd.windows(needle.len()).any(|window| window == needle);
        assert!(has(b"AGENT") && has(b"other") && has(b"modules/b.ko"));
        assert!(!parts.read("initrd").unwrap().windows(5).any(|window| window == b"agent"));
    }

    #[test]
    fn the_command_line_ends_with_our_words() {
        let line = cmdline(&["quiet".to_owned()], Sha256::of(b"abc"), "0.1.0", "x86_64");
        assert!(line.starts_with("quiet hearth.root=sha256:ba7816bf"), "{line}");
        assert!(line.ends_with(" hearth.version=0.1.0 hearth.board=x86_64"), "{line}");
    }
}
