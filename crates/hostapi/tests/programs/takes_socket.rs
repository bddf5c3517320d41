//! A stand-in for a service: takes the socket `https` that its parent handed over, as the kind named by the only argument.
//! For the tests of `activation`; a test harness cannot stand in, as it starts threads before anything else.

use hostapi::activation::Sockets;
use hostapi::activation::TakeError;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut sockets = Sockets::from_env();
    match std::env::args().nth(1).as_deref() {
        Some("tcp") => greet(&mut sockets),
        Some("unix") => {
            ExitCode::from(u8::from(!matches!(sockets.take_unix("https"), Err(TakeError::WrongKind { .. }))))
        }
        _ => ExitCode::from(2),
    }
}

/// Accepts one connection and greets; a socket is taken once.
fn greet(sockets: &mut Sockets) -> ExitCode {
    let Ok(listener) = sockets.take_tcp("https") else { return ExitCode::from(3) };
    if sockets.take_tcp("https").is_ok() {
        return ExitCode::from(4);
    }
    let greeted = listener
        .set_nonblocking(false)
        .and_then(|()| listener.accept())
        .and_then(|(mut stream, _peer)| stream.write_all(b"taken"));
    ExitCode::from(u8::from(greeted.is_err()))
}
