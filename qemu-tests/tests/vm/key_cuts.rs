//! The plug is pulled while keys of the box and of its data are changed.

use crate::chance::Random;
use crate::chance::cuts;
use crate::household::PASSWORD;
use crate::household::expect;
use crate::household::expect_usable;
use crate::household::log_in;
use crate::household::state;
use crate::household::status;
use crate::household::text;
use crate::unlock::open;
use crate::unlock::opened;
use crate::unlock::recovery_key;
use crate::unlock::sealable;
use crate::unlock::storage;
use crate::unlock::unlock;
use crate::vault::file;
use crate::vault::put;
use crate::vault_key;
use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::BOOT;
use qemu_tests::Off;
use qemu_tests::Vm;
use qemu_tests::VmBuilder;
use qemu_tests::scenario::scenario;
use qemu_tests::wait_until;
use qemu_tests::web::Web;
use serde_json::json;
use std::thread;
use std::thread::JoinHandle;

/// Power cuts at random moments, unless more are asked for; the changes take turns.
const CUTS: u32 = 2;
/// A private file, to be there whatever key it lies under.
const LETTER: (&str, &[u8]) = ("letter", &[7; 2 << 20]);

/// Something that the owner has changed.
#[derive(Clone, Copy, Debug)]
enum Change {
    SystemKey,
    Seal,
    RecoveryKey,
    VaultKey,
}

const CHANGES: [Change; 4] = [Change::SystemKey, Change::Seal, Change::RecoveryKey, Change::VaultKey];

/// What the owner has on paper.
#[derive(Clone, Debug, Default)]
struct Papers {
    /// The last key whose end was taken.
    confirmed: String,
    /// One that was shown after that.
    shown: Option<String>,
}

#[test]
fn keys_that_are_being_changed_survive_power_cuts_at_random_moments() {
    scenario("key_cuts", |folder| {
        let mut random = Random::from_environment()?;
        let artifacts = Artifacts::load()?;
        let (own, boot) = sealable(folder, &folder.join("own"), &artifacts)?;
        let vm = own.start()?;
        let mut web = vm.wait_web()?;
        ensure!(!expect_usable(&vm, &mut web)?, "a new box is set up");
        let mut papers = Papers { confirmed: recovery_key(&mut web)?, shown: None };
        put(&mut web, LETTER.0, LETTER.1)?;
        // How long each takes, in CPU seconds: a busy computer stretches time.
        let mut spans = Vec::new();
        for what in CHANGES {
            let begun = vm.cpu_seconds()?;
            papers = change(&mut web, what, papers).1?;
            spans.push(vm.cpu_seconds()? - begun);
        }
        let mut by_itself = 0;
        let cuts = cuts(CUTS)?;
        let mut at = At { vm, web, papers };
        let first = random.next_below(CHANGES.len());
        for (round, (what, span)) in (0..cuts).zip(CHANGES.into_iter().zip(spans).cycle().skip(first)) {
            let moment = span * random.next_fraction();
            let (off, papers) = cut(at, what, moment)?;
            let opened;
            (at, opened) = come_back(off, papers)
                .with_context(|| format!("round {round}, {what:?} after {moment:.2} s"))?;
            by_itself += u32::from(opened);
            println!("cut {} of {cuts}: {what:?} after {moment:.2} s", round + 1);
        }
        println!("{cuts} cuts; after {by_itself} of them the data opened by itself");
        let (off, papers) = (at.vm.power_cut(), at.papers);

        // The paper is worth what was promised: the disk in another box.
        let moved = VmBuilder::new(&folder.join("moved"), &artifacts).disk(off.disk());
        let vm = moved.boot(boot).tpm().start()?;
        let mut web = vm.wait_web()?;
        let mut web = open_with(&vm, &mut web, &papers)?;
        expect(&log_in(&mut web)?, 200)
    });
}

/// A box in use, and what its owner has.
struct At {
    vm: Vm,
    web: Web,
    papers: Papers,
}

/// Cuts the power in the middle of a change.
fn cut(at: At, what: Change, moment: f64) -> Result<(Off, Papers)> {
    let At { vm, mut web, papers } = at;
    expect(&log_in(&mut web)?, 200)?;
    let begun = vm.cpu_seconds()?;
    let owner: JoinHandle<Papers> = thread::spawn(move || change(&mut web, what, papers).0);
    wait_until(BOOT, "the moment of the cut", || {
        Ok((owner.is_finished() || vm.cpu_seconds()? - begun >= moment).then_some(()))
    })?;
    let off = vm.power_cut();
    // Only now is it known what came to paper before the cut.
    Ok((off, owner.join().ok().context("the owner broke")?))
}

/// Boots and sees to it that the box can be used. Says whether it opened its data by itself.
fn come_back(off: Off, papers: Papers) -> Result<(At, bool)> {
    let vm = off.boot_again()?;
    let mut web = vm.wait_web()?;
    let by_itself = state(&web)? != "locked";
    if !by_itself {
        web = open_with(&vm, &mut web, &papers)?;
    }
    ensure!(state(&web)? == "ready", "{}", status(&web)?);
    // The owner's record is what was acknowledged first.
    expect(&log_in(&mut web)?, 200)?;
    ensure!(web.get(&file(LETTER.0))?.body == LETTER.1, "a private file has another content");
    let keys = storage(&web)?["keys"].clone();
    let confirmed = keys.as_array().context("no keys")?.iter();
    let confirmed = confirmed.filter(|key| key["kind"] == "recovery" && key["is_confirmed"] == true);
    ensure!(confirmed.count() >= 1, "no recovery key is left: {keys}");
    Ok((At { vm, web, papers }, by_itself))
}

/// Has something changed. What is on paper counts also when the change did not come to its end.
fn change(web: &mut Web, what: Change, papers: Papers) -> (Papers, Result<Papers>) {
    let mut papers = papers;
    let done = match what {
        Change::SystemKey => {
            let body = json!({ "what": "system", "password": PASSWORD });
            web.post("/api/v1/storage/rotate", &body).and_then(|answer| expect(&answer, 204))
        }
        Change::Seal => {
            let body = json!({ "password": PASSWORD });
            web.post("/api/v1/storage/seal", &body).and_then(|answer| expect(&answer, 204))
        }
        Change::RecoveryKey => change_recovery_key(web, &mut papers),
        Change::VaultKey => vault_key::rotate(web),
    };
    let whole = done.map(|()| papers.clone());
    (papers, whole)
}

fn change_recovery_key(web: &mut Web, papers: &mut Papers) -> Result<()> {
    let made = web.post("/api/v1/storage/recovery-key", &json!({ "password": PASSWORD }))?;
    expect(&made, 200)?;
    let key = text(&made.json()?, "recovery_key")?;
    papers.shown = Some(key.clone());
    let end = key.get(key.len().saturating_sub(9)..).context("a short key")?;
    expect(&web.post("/api/v1/storage/recovery-key/confirm", &json!({ "end": end }))?, 204)?;
    *papers = Papers { confirmed: key, shown: None };
    Ok(())
}

/// Whoever was cut off in between tries both papers.
fn open_with(vm: &Vm, web: &mut Web, papers: &Papers) -> Result<Web> {
    let Some(shown) = &papers.shown else { return open(vm, web, &papers.confirmed) };
    let mark = vm.serial().mark();
    match unlock(web, &papers.confirmed)?.status {
        202 => opened(vm, mark),
        _ => open(vm, web, shown),
    }
}
