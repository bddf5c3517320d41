//! A disk that the flash tool wrote, over old content: it boots, and begins as its owner decided.

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use flash::device::Device;
use flash::device::Sharing;
use flash::used;
use flash::write::Progress;
use flash::write::Step;
use flash::write::Wish;
use flash::write::write;
use model::preset::FILE;
use model::preset::Preset;
use qemu_tests::Artifacts;
use qemu_tests::Boot;
use qemu_tests::VmBuilder;
use qemu_tests::esp::Esp;
use qemu_tests::scenario::scenario;
use std::fs;
use std::fs::File;
use std::io::Read;
use std::io::Seek;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;

pub(super) const CODE: &str = "01AB-2CDE-3FGH";
const PASSPHRASE: &str = "the passphrase of our home";
const SIZE: u64 = 2 << 30;
const PIECE: usize = 1 << 20;

struct Nobody;

impl Progress for Nobody {
    fn at(&mut self, _step: Step, _done: u64, _total: u64) {}
}

#[test]
fn a_flashed_disk_begins_as_was_decided_and_keeps_no_secret_in_the_open() {
    scenario("flashed", |folder| {
        let artifacts = Artifacts::load()?;
        let disk = flashed(folder, &artifacts.image, "home", PASSPHRASE)?;
        ensure!(holds(&disk, PASSPHRASE)?, "the preset is not on the disk");
        let vm = VmBuilder::new(folder, &artifacts).boot(Boot::Uefi).tpm().disk(&disk).start()?;
        ensure!(vm.wait_claim_code(0)? == CODE, "another claim code");
        let begun = vm.wait_state(0)?;
        ensure!(begun.url.contains("attic.local"), "{}", begun.url);
        let off = vm.power_cut();
        ensure!(Esp::look(off.disk())?.read(FILE).is_err(), "the preset is still on the boot partition");
        ensure!(!holds(off.disk(), PASSPHRASE)? && !holds(off.disk(), CODE)?, "a secret is in the open");

        let vm = off.boot_again()?;
        ensure!(vm.wait_claim_code(0)? == CODE, "the code was forgotten");
        Ok(())
    });
}

/// The image over a disk full of old content, with what the owner decided: claim code, the name `attic`, this network.
pub(super) fn flashed(folder: &Path, image: &Path, ssid: &str, passphrase: &str) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join("disk.img");
    let mut image = File::open(image).with_context(|| format!("cannot open {}", image.display()))?;
    let size = image.metadata()?.len();
    let disk = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    disk.set_len(SIZE)?;
    for at in (0..size).step_by(PIECE) {
        disk.write_all_at(&vec![0xe5; PIECE], at)?;
    }
    let map = used::block_map(&mut image, size)?;
    let preset = Preset::parse(
        format!(
            r#"{{"version":1,"claim_code":"{CODE}","host_name":"attic","wifi":{{"ssid":"{ssid}","passphrase":"{passphrase}","country":"AT"}}}}"#
        )
        .as_bytes(),
    )?;
    let content = preset.encode().context("the preset is too long")?;
    let wish = Wish { size, map: Some(&map), whole: None, preset: Some(&content) };
    image.rewind()?;
    write(&wish, &mut image, &mut Device::open(&path, Sharing::Alone)?, &mut Nobody)?;
    Ok(path)
}

/// Whether the bytes are anywhere on the disk.
fn holds(disk: &Path, text: &str) -> Result<bool> {
    let mut file = File::open(disk).with_context(|| format!("cannot open {}", disk.display()))?;
    let mut window = Vec::new();
    let mut piece = vec![0; PIECE];
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            return Ok(false);
        }
        window.extend_from_slice(&piece[..count]);
        if window.windows(text.len()).any(|part| part == text.as_bytes()) {
            return Ok(true);
        }
        window.drain(..window.len() - text.len().min(window.len()));
    }
}
