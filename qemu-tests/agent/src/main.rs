//! The test agent's program: a service of a box under test, or, as `/init`, the control of the power-cut tests.

use hearth_agent::PORT;
use hearth_agent::answer;
use hearth_agent::network::Lab;
use hearth_agent::port;
use hearth_agent::protocol::MAX_LINE;
use hearth_agent::unsynced;
use std::env;
use std::error::Error;
use std::io::BufReader;
use std::io::Write;
use std::os::unix::net::UnixDatagram;

fn main() -> Result<(), Box<dyn Error>> {
    if env::args_os().next().is_some_and(|name| name == "/init") {
        return Err(unsynced::become_init().into());
    }
    say_ready()?;
    let port = port::open(PORT)?;
    let mut writer = port.try_clone()?;
    let mut reader = BufReader::new(port);
    let mut lab = Lab::default();
    loop {
        let line = port::read_line(&mut reader, MAX_LINE)?;
        let mut answer = serde_json::to_vec(&answer::to_line(&mut lab, &line))?;
        answer.push(b'\n');
        writer.write_all(&answer)?;
    }
}

/// Tells init that the service runs (sd_notify(3)).
fn say_ready() -> Result<(), Box<dyn Error>> {
    if let Some(socket) = env::var_os("NOTIFY_SOCKET") {
        UnixDatagram::unbound()?.send_to(b"READY=1", socket)?;
    }
    Ok(())
}
