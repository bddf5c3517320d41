//! A Raspberry Pi's image on QEMU's Raspberry Pi 3 (`cargo xtask test --board rpi4`): what QEMU has of such boards. The rest is a checklist for
//! hardware in docs/boards.md.

use anyhow::Result;
use anyhow::ensure;
use qemu_tests::BOOT;
use qemu_tests::artifacts;
use qemu_tests::guest::parse_state;
use qemu_tests::pi::Pi;
use qemu_tests::pi::PiImage;
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

fn expect_setup(pi: &Pi) -> Result<()> {
    let line = pi.serial.wait_for(0, "a state", BOOT, |line| parse_state(line).is_some())?;
    let state = parse_state(&line).map(|state| state.state);
    ensure!(state.as_deref() == Some("setup"), "{line}");
    Ok(())
}

fn last_word(line: &str) -> &str {
    line.split_whitespace().next_back().unwrap_or_default()
}
