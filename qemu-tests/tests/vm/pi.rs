//! A Raspberry Pi's image on QEMU's Raspberry Pi 3 (`cargo xtask test --board rpi4`): what QEMU has of such boards. The rest is a checklist for
//! hardware in docs/boards.md.

use anyhow::Result;
use anyhow::ensure;
use image::arch::Arch;
use qemu_tests::BOOT;
use qemu_tests::artifacts;
use qemu_tests::containers::compile_for;
use qemu_tests::guest::parse_state;
use qemu_tests::pi::Pi;
use qemu_tests::pi::PiImage;
use qemu_tests::pi::properties;
use qemu_tests::scenario::scenario;

/// Made once, and kept with the data.
const CERTIFICATE: &str = "hearth: household certificate";

#[test]
fn a_card_starts_into_set_up_and_again_after_a_power_cut() {
    scenario("pi", |folder| {
        let board = artifacts::board();
        let image = PiImage::of_board(&board)?;

        let pi = Pi::start(folder, &image)?;
        let first = pi.serial.wait_line(0, "hearth: version=", BOOT)?;
        ensure!(first.contains(&format!("board={board} ")), "{first}");
        // The card's data was made and opened: nobody is asked to claim a box without.
        pi.serial.wait_line(0, "hearth: claim code: ", BOOT)?;
        let identity = pi.serial.wait_line(0, CERTIFICATE, BOOT)?;
        expect_setup(&pi)?;
        drop(pi);

        let pi = Pi::start(folder, &image)?;
        let again = pi.serial.wait_line(0, CERTIFICATE, BOOT)?;
        ensure!(last_word(&again) == last_word(&identity), "another box: {again}");
        expect_setup(&pi)
    });
}

/// The firmware's property by which the other slot is started once
/// (github.com/raspberrypi/firmware/wiki/Mailbox-property-interface: set reboot flags).
const SET_REBOOT_FLAGS: u32 = 0x0003_8064;

#[test]
fn the_word_that_restarts_into_the_other_slot_reaches_the_firmware() {
    scenario("pi-restart", |folder| {
        let image = PiImage::of_board(&artifacts::board())?;
        let module = image.own_module("hearth_tryboot")?;
        let init = compile_for(Arch::Arm64, folder, "tests/vm/pi/restart.c")?;
        let files = [("init", init.as_slice()), ("hearth_tryboot.ko", module.as_slice())];
        let asked = |word: &str| {
            // The kernel says this after it has told all drivers.
            let until = format!("reboot: Restarting system with command '{}'", word.replace('_', " "));
            properties(folder, &image, &files, &format!("loglevel=6 test.word={word}"), &until)
        };
        let asked_for_other = asked("0_tryboot")?;
        ensure!(asked_for_other.contains(&SET_REBOOT_FLAGS), "{asked_for_other:x?}");
        for word in ["0", "tryboot", "0_trybootx"] {
            let asked = asked(word)?;
            ensure!(!asked.is_empty() && !asked.contains(&SET_REBOOT_FLAGS), "{word}: {asked:x?}");
        }
        Ok(())
    });
}

fn expect_setup(pi: &Pi) -> Result<()> {
    let line = pi.serial.wait_for(0, "a state", BOOT, |line| parse_state(line).is_some())?;
    let state = parse_state(&line).map(|state| state.state);
    ensure!(state.as_deref() == Some("setup"), "{line}");
    Ok(())
}

fn last_word(line: &str) -> &str {
    line.split_whitespace().next_back().unwrap_or_default()
}
