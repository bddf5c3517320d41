//! Sockets handed to a real child process: this test binary, started again.

use hostapi::activation::Sockets;
use std::io::Read;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::process::Stdio;

/// Runs in the child only: takes the socket, accepts one connection and greets.
#[test]
#[ignore = "started by a_child_takes_a_listener_by_name"]
fn child_serves_one_connection() {
    let mut sockets = Sockets::from_env();
    let listener = sockets.take_tcp("https").unwrap();
    assert!(sockets.take_tcp("https").is_err(), "a socket is taken once");
    listener.set_nonblocking(false).unwrap();
    let (mut stream, _peer) = listener.accept().unwrap();
    std::io::Write::write_all(&mut stream, b"taken").unwrap();
}

/// Runs in the child only: a Unix socket is expected where a TCP one was handed over.
#[test]
#[ignore = "started by a_socket_of_the_wrong_kind_is_refused"]
fn child_refuses_wrong_kind() {
    let error = Sockets::from_env().take_unix("https").unwrap_err();
    assert!(matches!(error, hostapi::activation::TakeError::WrongKind { .. }), "{error:?}");
}

fn child(test: &str, listener: TcpListener) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--ignored", "--nocapture"])
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .env("LISTEN_FDS", "1")
        .env("LISTEN_FDS_FIRST_FD", "0")
        .env("LISTEN_FDNAMES", "https");
    command
}

#[test]
fn a_child_takes_a_listener_by_name() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut child = child("activation::child_serves_one_connection", listener).spawn().unwrap();
    let mut text = String::new();
    TcpStream::connect(address).unwrap().read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(text, "taken");
}

#[test]
fn a_socket_of_the_wrong_kind_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = child("activation::child_refuses_wrong_kind", listener).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
