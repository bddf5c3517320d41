//! The debugger's door of QEMU, as far as a test needs it to make a processor hang
//! (remote serial protocol: GDB's manual, appendix E; numbers of registers: `gdb-xml/i386-64bit.xml` of QEMU's source).

use crate::qmp::Qmp;
use crate::wait_until;
use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long QEMU may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The instruction pointer, and the flags.
const RIP: u8 = 0x10;
const EFLAGS: u8 = 0x11;
/// Interrupts are taken (Intel SDM volume 1, 3.4.3.3).
const INTERRUPT_FLAG: u64 = 1 << 9;
/// `jmp` to itself.
const LOOP: &str = "ebfe";

/// Makes the machine's one processor run in a circle with interrupts off, for ever: no kernel gets out of that by itself.
///
/// # Errors
/// When QEMU does not let itself be debugged.
pub fn hang(qmp: &mut Qmp, folder: &Path) -> Result<()> {
    let path = folder.join("gdb");
    qmp.human(&format!("gdbserver unix:{},server=on,wait=off", path.display()))?;
    let socket = wait_until(PATIENCE, "QEMU's debugger socket", || Ok(UnixStream::connect(&path).ok()))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut door = Door { socket };
    door.ask("?")?;
    // Registers are told by number only to those who asked what there is (`handle_read_register` of QEMU's gdbstub).
    door.ask("qXfer:features:read:target.xml:0,ffb")?;
    let place = door.register(RIP)?;
    let flags = door.register(EFLAGS)? & !INTERRUPT_FLAG;
    door.expect_ok(&format!("M{place:x},2:{LOOP}"))?;
    // Four bytes, in the processor's order.
    let flags: String = flags.to_le_bytes().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    door.expect_ok(&format!("P{EFLAGS:x}={flags}"))?;
    door.expect_ok("D")?;
    qmp.human("gdbserver none").map(drop)
}

struct Door {
    socket: UnixStream,
}

impl Door {
    fn ask(&mut self, packet: &str) -> Result<String> {
        let sum = packet.bytes().fold(0_u8, u8::wrapping_add);
        write!(self.socket, "${packet}#{sum:02x}").with_context(|| format!("cannot ask {packet}"))?;
        loop {
            let answer = self.answer().with_context(|| format!("no answer to {packet}"))?;
            self.socket.write_all(b"+")?;
            // That the processor stopped is told once more, whenever that is; only one question is answered by it.
            if packet == "?" || !answer.starts_with('T') {
                return Ok(answer);
            }
        }
    }

    /// What lies between `$` and `#`; acknowledgements before it and the sum behind it are not looked at.
    fn answer(&mut self) -> Result<String> {
        while self.byte()? != b'$' {}
        let mut text = String::new();
        loop {
            match self.byte()? {
                b'#' => break,
                letter => text.push(char::from(letter)),
            }
        }
        self.byte()?;
        self.byte()?;
        Ok(text)
    }

    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.socket.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    fn expect_ok(&mut self, packet: &str) -> Result<()> {
        let answer = self.ask(packet)?;
        ensure!(answer == "OK", "QEMU answers {packet} with {answer}");
        Ok(())
    }

    fn register(&mut self, number: u8) -> Result<u64> {
        let answer = self.ask(&format!("p{number:x}"))?;
        if answer.is_empty() || answer.len() > 16 || !answer.len().is_multiple_of(2) {
            bail!("register {number} is {answer:?}");
        }
        let digits: Vec<&str> =
            (0..answer.len()).step_by(2).filter_map(|at| answer.get(at..at + 2)).collect();
        let text: String = digits.into_iter().rev().collect();
        u64::from_str_radix(&text, 16).with_context(|| format!("register {number} is {answer:?}"))
    }
}
