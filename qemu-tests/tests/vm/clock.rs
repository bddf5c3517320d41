//! A box whose clock was lost, at home without the Internet.

use crate::household::expect_page;
use crate::household::set_up;
use anyhow::ensure;
use qemu_tests::Artifacts;
use qemu_tests::VmBuilder;
use qemu_tests::builder::Inside;
use qemu_tests::capture::ensure_no_plaintext_names;
use qemu_tests::scenario::scenario;

/// No box with this system shows an earlier time.
const RELEASED: i64 = model::release::RELEASED.cast_signed();

#[test]
fn a_box_without_a_clock_and_without_the_internet_works() {
    scenario("clock-lost", |folder| {
        let builder = VmBuilder::new(folder, &Artifacts::load()?).inside(Inside::Agent);
        let vm = builder.clock("2000-01-01T00:00:00").captured().start()?;
        let mut web = vm.wait_web()?;
        let mut agent = vm.agent()?;
        let now = vm.wait_until("a possible time", || {
            let now = agent.clock()?;
            Ok((now >= RELEASED).then_some(now))
        })?;
        ensure!(now < RELEASED + 24 * 3600, "the clock shows {now}, which nobody told the box");
        set_up(&vm, &mut web)?;
        ensure!(expect_page(&web)? == "ready", "not ready after set-up");
        ensure_no_plaintext_names(&folder.join("network.pcap"))
    });
}
