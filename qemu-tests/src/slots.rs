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
use std::fs;
use std::path::Path;

/// A slot like the shipped one but with the agent in its initrd, further words on its command line, and approved by this
/// key: `words` begin with a space, and without a key there is no approval.
///
/// # Errors
/// When the image was not built or has no parts, or the agent is missing.
pub fn with_agent(artifacts: &Artifacts, words: &str, policy: Option<&PolicySigner>) -> Result<Vec<u8>> {
    let content = fs::read(&artifacts.agent).with_context(|| {
        format!("no test agent in {}: `cargo xtask test` builds it", artifacts.agent.display())
    })?;
    let agent = ExtraFile { name: "agent".to_owned(), mode: 0o755, content };
    made(artifacts, words, &[agent], policy)
}

/// A slot like the shipped one but for further words on its command line, approved by this key: `words` begin with a space.
///
/// # Errors
/// When the image was not built or has no parts.
pub fn with_words(artifacts: &Artifacts, words: &str, policy: &PolicySigner) -> Result<Vec<u8>> {
    made(artifacts, words, &[], Some(policy))
}

fn made(
    artifacts: &Artifacts,
    words: &str,
    extra: &[ExtraFile],
    policy: Option<&PolicySigner>,
) -> Result<Vec<u8>> {
    let parts = parts(artifacts)?;
    let line = parts.cmdline().context("no command line among the parts")? + words;
    slot::build_slot(&SlotInputs {
        parts: &parts,
        root: None,
        cmdline: Some(&line),
        extra,
        policy,
        signer: None,
    })
    .context("cannot make a slot")
}

/// The name of the image's slot: its file on the boot partition without `.efi`, and what the box reports.
///
/// # Errors
/// When the image was not built or has no parts.
pub fn shipped_name(artifacts: &Artifacts) -> Result<String> {
    let line = parts(artifacts)?.cmdline().context("no command line among the parts")?;
    let version = line.split_whitespace().find_map(|word| word.strip_prefix("hearth.version="));
    Ok(format!("hearth_{}", version.context("no version on the command line")?))
}

/// The key that approved the built image, when that was a development image: what it approves is an update to the box.
///
/// # Errors
/// When there is no such key.
pub fn development_key(artifacts: &Artifacts) -> Result<PolicySigner> {
    let boards = folder(artifacts)?.parent().context("the image lies in no folder of boards")?;
    Ok(PolicySigner::development(&boards.join("parts-cache"), &Silent)?)
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
