//! Sockets handed to a real child process, the program in `tests/programs/takes_socket.rs`.

use std::io::Read;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::process::Stdio;

fn child(kind: &str, listener: TcpListener) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_takes_socket"));
    command
        .arg(kind)
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
    let mut child = child("tcp", listener).spawn().unwrap();
    let mut text = String::new();
    TcpStream::connect(address).unwrap().read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(text, "taken");
}

#[test]
fn a_socket_of_the_wrong_kind_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(child("unix", listener).status().unwrap().success());
}
