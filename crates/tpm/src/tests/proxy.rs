//! Somebody who listens on the wires between the processor and the TPM.

use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;

/// Passes commands and control on, and keeps a copy of all bytes, each way by itself.
pub(super) struct Proxy {
    pub(super) port: u16,
    heard: Arc<Mutex<[Vec<u8>; 2]>>,
}

impl Proxy {
    pub(super) fn new(target: u16) -> Self {
        let heard = Arc::new(Mutex::new([Vec::new(), Vec::new()]));
        let (commands, control) = super::wait_until("two free ports", || {
            let first = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            let next = first.local_addr().unwrap().port().checked_add(1)?;
            TcpListener::bind(("127.0.0.1", next)).ok().map(|second| (first, second))
        });
        let port = commands.local_addr().unwrap().port();
        for (listener, target) in [(commands, target), (control, target + 1)] {
            let heard = Arc::clone(&heard);
            thread::spawn(move || {
                for connection in listener.incoming() {
                    let (near, far) =
                        (connection.unwrap(), TcpStream::connect(("127.0.0.1", target)).unwrap());
                    pass(&near, &far, 0, &heard);
                    pass(&far, &near, 1, &heard);
                }
            });
        }
        Self { port, heard }
    }

    /// What was said to the TPM, and what it answered.
    pub(super) fn heard(&self) -> [Vec<u8>; 2] {
        self.heard.lock().unwrap().clone()
    }
}

fn pass(from: &TcpStream, to: &TcpStream, way: usize, heard: &Arc<Mutex<[Vec<u8>; 2]>>) {
    let (mut from, mut to, heard) = (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(heard));
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            heard.lock().unwrap()[way].extend(&buffer[..length]);
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        // The other side may be gone already.
        drop(to.shutdown(Shutdown::Write));
    });
}
