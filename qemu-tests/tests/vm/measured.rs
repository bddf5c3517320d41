//! What the stub measures is what was predicted, and the approval of it reaches the box.

use crate::boot_chain::shipped_slot;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use hearth_agent::protocol::Entry;
use hearth_agent::protocol::Kind;
use image::measure;
use model::paths::MEASURED;
use pcr::Choice;
use pcr::Digest;
use pcr::PolicyKey;
use pcr::Signatures;
use qemu_tests::Artifacts;
use qemu_tests::Boot;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::agent::Agent;
use qemu_tests::builder::Inside;
use qemu_tests::esp::Esp;
use qemu_tests::esp::SLOTS;
use qemu_tests::scenario::scenario;
use qemu_tests::slots;
use qemu_tests::slots::shipped_name;
use qemu_tests::uki::Uki;
use std::path::Path;

#[test]
fn the_register_is_as_predicted_and_the_approval_fits_this_slot_only() {
    scenario("measured", |folder| {
        let artifacts = Artifacts::load()?;
        let key = slots::development_key(&artifacts)?;
        let shipped = Uki::parse(slots::with_agent(&artifacts, "", Some(&key))?)?;
        let other = Uki::parse(slots::with_agent(&artifacts, " hearth.other", Some(&key))?)?;

        let mut agent = boot(&folder.join("shipped"), &artifacts, &shipped, "")?;
        let first = expect_predicted(&mut agent, &shipped).context("the slot with the agent")?;
        expect_approval(&mut agent, &shipped)?;
        ensure!(choice(&shipped, &shipped, first)?, "the slot's own signature does not fit");

        let mut agent = boot(&folder.join("other"), &artifacts, &other, "")?;
        let second = expect_predicted(&mut agent, &other).context("another command line in the slot")?;
        ensure!(first != second, "another command line measures the same");
        ensure!(!choice(&shipped, &shipped, second)?, "the first slot's signature fits the other slot");
        ensure!(choice(&other, &shipped, second)?, "the same key's signature of the other slot does not fit");
        Ok(())
    });
}

/// Whoever has the keyboard can add words at the loader without changing the slot: only PCR 12 tells.
#[test]
fn words_from_outside_show_in_another_register() {
    scenario("measured-words", |folder| {
        let artifacts = Artifacts::load()?;
        let slot = Uki::parse(slots::with_agent(&artifacts, "", None)?)?;
        let mut agent = boot(&folder.join("plain"), &artifacts, &slot, "")?;
        expect_predicted(&mut agent, &slot).context("a slot without approval")?;
        ensure!(agent.walk(MEASURED).is_err(), "an approval without key and signature");
        let plain = register(&mut agent, 12)?;

        let mut agent = boot(&folder.join("words"), &artifacts, &slot, " hearth.evil")?;
        let line = agent.read("/proc/cmdline")?;
        ensure!(line.contains(" hearth.evil"), "the word is not there: {line}");
        expect_predicted(&mut agent, &slot).context("further words from outside")?;
        ensure!(register(&mut agent, 12)? != plain, "further words from outside show nowhere");
        Ok(())
    });
}

#[test]
fn the_shipped_slot_is_approved_and_a_kernel_boot_goes_on_without() {
    scenario("measured-shipped", |folder| {
        let artifacts = Artifacts::load()?;
        let slot = shipped_slot(&artifacts)?;
        let value = measure::pcr_11(slot.bytes())?;
        ensure!(choice(&slot, &slot, value)?, "the shipped slot's signature does not fit what it measures");

        let vm = VmBuilder::new(folder, &artifacts).inside(Inside::Agent).start()?;
        let mut agent = vm.agent()?;
        ensure!(agent.walk(MEASURED).is_err(), "an approval without a stub");
        // What encryption of data, and of folders on it, needs of the kernel; nothing can load it later.
        let modules = agent.read("/proc/modules")?;
        for wanted in ["dm_crypt", "dm_mod", "xts", "cts", "aesni_intel"] {
            let there = modules.lines().any(|line| line.split(' ').next() == Some(wanted));
            ensure!(there, "{wanted} is not loaded: {modules}");
        }
        Ok(())
    });
}

/// Boots a machine whose disk has this slot in the place of the shipped one. The machine ends with the agent's connection.
fn boot(folder: &Path, artifacts: &Artifacts, slot: &Uki, words: &str) -> Result<Watched> {
    let builder = VmBuilder::new(folder, artifacts).boot(Boot::Uefi).tpm().inside(Inside::AgentInSlot);
    let mut builder = builder.words(words);
    let disk = builder.prepare_disk()?;
    let esp = Esp::open(&disk)?;
    esp.write(&format!("{SLOTS}/{}.efi", shipped_name(artifacts)?), slot.bytes())?;
    esp.close()?;
    let vm = builder.start()?;
    let agent = vm.agent()?;
    Ok(Watched { agent, _vm: vm })
}

/// An agent and the machine that it is in.
struct Watched {
    agent: Agent,
    _vm: Vm,
}

impl std::ops::Deref for Watched {
    type Target = Agent;

    fn deref(&self) -> &Agent {
        &self.agent
    }
}

impl std::ops::DerefMut for Watched {
    fn deref_mut(&mut self) -> &mut Agent {
        &mut self.agent
    }
}

fn register(agent: &mut Agent, number: u32) -> Result<Digest> {
    let text = agent.read(&format!("/sys/class/tpm/tpm0/pcr-sha256/{number}"))?;
    text.trim().to_lowercase().parse().with_context(|| format!("no register {number}: {text}"))
}

/// The register has what was predicted of the slot, and then that the data partition was dealt with: no signature fits it any more.
/// Returns what it had before.
fn expect_predicted(agent: &mut Agent, slot: &Uki) -> Result<Digest> {
    let (found, predicted) = (register(agent, measure::REGISTER)?, measure::pcr_11(slot.bytes())?);
    let closed = pcr::measure(&predicted, pcr::CLOSING);
    ensure!(found == closed, "PCR 11 is {found}, predicted was {closed} after {predicted}");
    Ok(predicted)
}

/// Key and signatures of the slot are on the box, byte for byte, and only root could change them.
fn expect_approval(agent: &mut Agent, slot: &Uki) -> Result<()> {
    for (name, section) in [("tpm2-pcr-public-key.pem", ".pcrpkey"), ("tpm2-pcr-signature.json", ".pcrsig")] {
        let text = agent.read(&format!("{MEASURED}/{name}"))?;
        ensure!(text.as_bytes() == slot.section(section)?, "{name} is not section {section}: {text}");
    }
    let entries = agent.walk(MEASURED)?;
    let right = |entry: &Entry| {
        let mode = if entry.kind == Kind::Folder { 0o755 } else { 0o444 };
        (entry.uid, entry.gid, entry.mode) == (0, 0, mode)
    };
    ensure!(entries.len() == 3 && entries.iter().all(right), "{entries:?}");
    Ok(())
}

/// Whether the signatures in one slot, by the key in another, approve a value of PCR 11.
fn choice(signatures: &Uki, key: &Uki, value: Digest) -> Result<bool> {
    let signatures = Signatures::from_json(signatures.section(".pcrsig")?)?;
    let key = PolicyKey::from_pem(std::str::from_utf8(key.section(".pcrpkey")?)?)?;
    let policy = pcr::policy_pcr(&[(measure::REGISTER, value)]);
    Ok(matches!(signatures.choose(&key, &[measure::REGISTER], &policy), Choice::Found(_)))
}
