//! Checks of health: a program in the container, or a page at the app's address.

use super::Shared;
use crate::runtime::ContainerId;
use crate::words::chain;
use model::containers::End;
use model::containers::HealthCheck;
use model::containers::Probe;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest first line of an answer.
const MAX_LINE: usize = 1 << 10;
/// Longest part of what a program printed that is shown.
const MAX_SHOWN: usize = 200;

/// Makes one check; why the container is not healthy, if it is not.
pub(super) async fn check(
    shared: Arc<Shared>,
    id: ContainerId,
    check: HealthCheck,
    address: Option<IpAddr>,
) -> Result<(), String> {
    let patience = Duration::from_secs(check.timeout_seconds.into());
    match (check.probe, address) {
        (Probe::Command(words), _) => command(shared, id, words, patience).await,
        (Probe::Http { port, path }, Some(address)) => {
            let address = SocketAddr::new(address, port.get());
            timeout(patience, http(address, &path))
                .await
                .unwrap_or_else(|_elapsed| Err(format!("no answer within {} s", patience.as_secs())))
        }
        (Probe::Http { .. }, None) => Err("the app has no address".to_owned()),
    }
}

async fn command(
    shared: Arc<Shared>,
    id: ContainerId,
    words: Vec<String>,
    patience: Duration,
) -> Result<(), String> {
    // Programs that hang in their checks must not take the threads that starts and stops need.
    let Ok(_place) = shared.probes.acquire().await else { return Err("the box is stopping".to_owned()) };
    let runtime = Arc::clone(&shared.runtime);
    let ran = tokio::task::spawn_blocking(move || runtime.run_inside(&id, &words, patience)).await;
    match ran {
        Ok(Ok((End::Code(0), _))) => Ok(()),
        Ok(Ok((end, said))) => Err(told(end, &said)),
        Ok(Err(error)) => Err(chain(&error)),
        Err(_broke) => Err("the check broke off".to_owned()),
    }
}

fn told(end: End, said: &str) -> String {
    let how = match end {
        End::Code(code) => format!("its program ended with code {code}"),
        End::Signal(signal) => format!("its program was ended by signal {signal}"),
        End::OutOfMemory => "there was no memory for its program".to_owned(),
        End::Unknown => "it is not known how its program ended".to_owned(),
    };
    let said: String =
        said.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SHOWN).collect();
    if said.is_empty() { how } else { format!("{how}: {said}") }
}

/// Asks for a page; only the status counts.
async fn http(address: SocketAddr, path: &str) -> Result<(), String> {
    if !is_path(path) {
        return Err(format!("{path:?} is no path of a page"));
    }
    let failed = |doing: &'static str| move |error: std::io::Error| format!("{doing} {address}: {error}");
    let mut stream = TcpStream::connect(address).await.map_err(failed("connect to"))?;
    let ask = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: hearth\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(ask.as_bytes()).await.map_err(failed("ask"))?;
    let mut answer = Vec::new();
    while answer.len() < MAX_LINE && !answer.contains(&b'\n') {
        let read = stream.read_buf(&mut answer).await.map_err(failed("hear from"))?;
        if read == 0 {
            break;
        }
    }
    match status(&answer) {
        Some(200..=399) => Ok(()),
        Some(status) => Err(format!("it answers with status {status}")),
        None => Err("it does not answer in HTTP".to_owned()),
    }
}

/// Nothing that could be a second header.
fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The status of an answer (RFC 9112 section 4).
fn status(answer: &[u8]) -> Option<u16> {
    let rest = answer.strip_prefix(b"HTTP/1.")?;
    let (digits, after) = (rest.get(2..5)?, rest.get(5));
    let is_framed = rest.get(1) == Some(&b' ') && after.is_none_or(|byte| b" \r\n".contains(byte));
    let text =
        std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok().filter(|_| is_framed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn only_a_status_is_one() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 503\r\n"), Some(503));
        for bad in
            [&b""[..], b"HTTP/1.1 20", b"HTTP/1.1 2000", b"HTTP/2 200 OK", b"SSH-2.0", b"HTTP/1.1 +20 "]
        {
            assert_eq!(status(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_path_is_one_line() {
        assert!(is_path("/health?full=1"));
        for bad in ["", "health", "/a b", "/a\r\nX: y", "/\u{e9}"] {
            assert!(!is_path(bad), "{bad}");
        }
    }

    #[test]
    fn what_a_program_said_is_shown_on_one_line() {
        assert_eq!(told(End::Code(1), " no\nroute \n"), "its program ended with code 1: no route");
        assert_eq!(told(End::Signal(9), ""), "its program was ended by signal 9");
    }

    async fn answered(answer: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 512];
            let length = stream.read(&mut asked).await.unwrap();
            // In two pieces.
            let (first, second) = answer.split_at(answer.len() / 2);
            stream.write_all(first.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            stream.write_all(second.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        let found = http(address, "/up").await;
        assert!(served.await.unwrap().starts_with("GET /up HTTP/1.1\r\nHost: 127.0.0.1:"));
        found
    }

    #[tokio::test]
    async fn a_page_that_is_there_is_healthy_and_no_other() {
        answered("HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        answered("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n").await.unwrap();
        assert_eq!(answered("HTTP/1.1 500 Oh\r\n\r\n").await.unwrap_err(), "it answers with status 500");
        assert_eq!(answered("hello\n").await.unwrap_err(), "it does not answer in HTTP");
        let refused = http("127.0.0.1:1".parse().unwrap(), "/").await.unwrap_err();
        assert!(refused.starts_with("connect to 127.0.0.1:1"), "{refused}");
    }
}
