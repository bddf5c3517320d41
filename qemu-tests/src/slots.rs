//! Slot files that a test makes from the parts of the built one: with the agent in it, another command line, another key.

use crate::artifacts::Artifacts;
use anyhow::Context;
use anyhow::Result;
use image::policy::PolicySigner;
use image::progress::Silent;
use image::slot;
use image::slot::ExtraFile;
use image::slot::SlotInputs;
use image::slot::SlotParts;
use image::updates::DevelopmentKeys;
use std::fs;
use std::path::Path;

/// The agent, as a file of an initrd.
fn agent(artifacts: &Artifacts) -> Result<ExtraFile> {
    let content = fs::read(&artifacts.agent).with_context(|| {
        format!("no test agent in {}: `cargo xtask test` builds it", artifacts.agent.display())
    })?;
    Ok(ExtraFile { name: "agent".to_owned(), mode: 0o755, content })
}

/// A slot like the shipped one but with the agent in its initrd, further words on its command line, and approved by this
/// key: `words` begin with a space, and without a key there is no approval.
///
/// # Errors
/// When the image was not built or has no parts, or the agent is missing.
pub fn with_agent(artifacts: &Artifacts, words: &str, policy: Option<&PolicySigner>) -> Result<Vec<u8>> {
    made(
        artifacts,
        &Variant { words, extra: &[agent(artifacts)?], policy, version: None, root: Root::AsSigned },
    )
}

/// A slot like the shipped one but for further words on its command line, approved by this key: `words` begin with a space.
///
/// # Errors
/// When the image was not built or has no parts.
pub fn with_words(artifacts: &Artifacts, words: &str, policy: &PolicySigner) -> Result<Vec<u8>> {
    made(artifacts, &Variant { words, extra: &[], policy: Some(policy), version: None, root: Root::AsSigned })
}

/// The next version of the shipped slot, with the agent, approved by the key that approved the image: an update of a box. `words` begin with a
/// space; of words that the command line has already the first one counts.
///
/// # Errors
/// When the image was not built or has no parts, or the agent is missing.
pub fn update(artifacts: &Artifacts, version: &str, words: &str) -> Result<Vec<u8>> {
    let policy = development_key(artifacts)?;
    let extra = [agent(artifacts)?];
    made(
        artifacts,
        &Variant {
            words,
            extra: &extra,
            policy: Some(&policy),
            version: Some(version),
            root: Root::AsSigned,
        },
    )
}

/// The same with another root than the signed one.
///
/// # Errors
/// When the image was not built or has no parts, or the agent is missing.
pub fn update_with_other_root(artifacts: &Artifacts, version: &str) -> Result<Vec<u8>> {
    let policy = development_key(artifacts)?;
    let extra = [agent(artifacts)?];
    let variant = Variant {
        words: "",
        extra: &extra,
        policy: Some(&policy),
        version: Some(version),
        root: Root::Other,
    };
    made(artifacts, &variant)
}

/// The same with another program in the place of the first process.
///
/// # Errors
/// When the image was not built or has no parts.
pub fn update_with_init(artifacts: &Artifacts, version: &str, init: Vec<u8>) -> Result<Vec<u8>> {
    let policy = development_key(artifacts)?;
    // Of files of the same name in an initrd the last one counts.
    let extra = [ExtraFile { name: "init".to_owned(), mode: 0o755, content: init }];
    made(
        artifacts,
        &Variant {
            words: "",
            extra: &extra,
            policy: Some(&policy),
            version: Some(version),
            root: Root::AsSigned,
        },
    )
}

/// The same approved by a key that the box does not know: its TPM does not give the data's key out to it.
///
/// # Errors
/// When the image was not built or has no parts, or the agent is missing.
pub fn unapproved_update(
    artifacts: &Artifacts,
    version: &str,
    words: &str,
    stranger: &PolicySigner,
) -> Result<Vec<u8>> {
    let extra = [agent(artifacts)?];
    made(
        artifacts,
        &Variant {
            words,
            extra: &extra,
            policy: Some(stranger),
            version: Some(version),
            root: Root::AsSigned,
        },
    )
}

/// What is not as in the shipped slot.
struct Variant<'a> {
    words: &'a str,
    extra: &'a [ExtraFile],
    policy: Option<&'a PolicySigner>,
    version: Option<&'a str>,
    root: Root,
}

/// What the command line says of the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    AsSigned,
    /// It has another hash.
    Other,
}

fn made(artifacts: &Artifacts, variant: &Variant<'_>) -> Result<Vec<u8>> {
    let parts = parts(artifacts)?;
    let mut line = parts.cmdline().context("no command line among the parts")?;
    let mut os_release = String::from_utf8(parts.read("os-release")?).context("the os-release is no text")?;
    if let Some(version) = variant.version {
        let shipped = shipped_version(&line)?.to_owned();
        line = line.replace(&format!("hearth.version={shipped}"), &format!("hearth.version={version}"));
        os_release = os_release.replace(&shipped, version);
    }
    if variant.root == Root::Other {
        let word = line.split_whitespace().find_map(|word| word.strip_prefix("hearth.root=sha256:"));
        let hash = word.context("no root on the command line")?.to_owned();
        line = line.replace(&hash, &"0".repeat(hash.len()));
    }
    slot::build_slot(&SlotInputs {
        parts: &parts,
        root: None,
        cmdline: Some(&(line + variant.words)),
        os_release: Some(&os_release),
        extra: variant.extra,
        policy: variant.policy,
        signer: None,
    })
    .context("cannot make a slot")
}

fn shipped_version(line: &str) -> Result<&str> {
    let word = line.split_whitespace().find_map(|word| word.strip_prefix("hearth.version="));
    word.context("no version on the command line")
}

/// The name of the image's slot: its file on the boot partition without `.efi`, and what the box reports.
///
/// # Errors
/// When the image was not built or has no parts.
pub fn shipped_name(artifacts: &Artifacts) -> Result<String> {
    let line = parts(artifacts)?.cmdline().context("no command line among the parts")?;
    Ok(format!("hearth_{}", shipped_version(&line)?))
}

/// The key that approved the built image, when that was a development image: what it approves is an update to the box.
///
/// # Errors
/// When there is no such key.
pub fn development_key(artifacts: &Artifacts) -> Result<PolicySigner> {
    let boards = folder(artifacts)?.parent().context("the image lies in no folder of boards")?;
    Ok(PolicySigner::development(&boards.join("parts-cache"), &Silent)?)
}

/// The key that the built image trusts updates by, when that was a development image.
///
/// # Errors
/// When there is no such key.
pub fn update_keys(artifacts: &Artifacts) -> Result<DevelopmentKeys> {
    let boards = folder(artifacts)?.parent().context("the image lies in no folder of boards")?;
    Ok(DevelopmentKeys::open(&boards.join("parts-cache"))?)
}

/// A key that no box knows; it is made in this folder.
///
/// # Errors
/// When it cannot be made.
pub fn strange_key(folder: &Path) -> Result<PolicySigner> {
    Ok(PolicySigner::development(folder, &Silent)?)
}

fn parts(artifacts: &Artifacts) -> Result<SlotParts> {
    Ok(SlotParts::new(&folder(artifacts)?.join("parts")))
}

fn folder(artifacts: &Artifacts) -> Result<&Path> {
    artifacts.slot.parent().context("the slot file lies in no folder")
}
