//! Asking PID 1: one JSON line each way over its control socket, bounded in size and time.

use model::control::ControlAnswer;
use model::control::ControlRequest;
use model::control::MAX_LINE;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// PID 1 answers from memory; longer than this it hangs.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Why PID 1 could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The socket could not be connected, written or read.
    #[error("talk to {}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// The request or answer is not what it should be, or longer than [`MAX_LINE`].
    #[error("understand the answer from {}", path.display())]
    Malformed {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// There was no answer in time.
    #[error("no answer from {} within {} s", path.display(), TIME_LIMIT.as_secs())]
    Silent {
        /// The socket.
        path: PathBuf,
    },
}

/// Sends a request and waits for its answer.
///
/// # Errors
///
/// When the socket does not take it, or the answer does not come in time or is malformed.
pub async fn ask(path: &Path, request: ControlRequest) -> Result<ControlAnswer, ControlError> {
    let malformed = |source| ControlError::Malformed { path: path.to_owned(), source };
    let mut line = serde_json::to_vec(&request).map_err(malformed)?;
    line.push(b'\n');
    let answer = timeout(TIME_LIMIT, exchange(path, &line))
        .await
        .map_err(|_elapsed| ControlError::Silent { path: path.to_owned() })?
        .map_err(|source| ControlError::Socket { path: path.to_owned(), source })?;
    serde_json::from_slice(&answer).map_err(malformed)
}

async fn exchange(path: &Path, line: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(path).await?;
    stream.write_all(line).await?;
    let mut answer = Vec::new();
    // What is cut off at the limit is no longer JSON and is refused as such.
    BufReader::new(stream).take(MAX_LINE as u64).read_until(b'\n', &mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixListener;

    async fn answered_with(answer: &'static [u8]) -> (String, Result<ControlAnswer, ControlError>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let listener = UnixListener::bind(&path).unwrap();
        let pid1 = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut asked = String::new();
            stream.read_line(&mut asked).await.unwrap();
            stream.get_mut().write_all(answer).await.unwrap();
            asked
        });
        let result = ask(&path, ControlRequest::Logs { unit: Some("netd".to_owned()), lines: 200 }).await;
        (pid1.await.unwrap(), result)
    }

    #[tokio::test]
    async fn a_request_is_one_line_and_so_is_the_answer() {
        let (asked, answer) = answered_with(b"{\"answer\":\"logs\",\"lines\":[\"a\"]}\nrest").await;
        assert_eq!(asked, "{\"ask\":\"logs\",\"unit\":\"netd\",\"lines\":200}\n");
        assert_eq!(answer.unwrap(), ControlAnswer::Logs { lines: vec!["a".to_owned()] });
    }

    #[tokio::test]
    async fn nonsense_and_silence_are_errors() {
        assert!(matches!(answered_with(b"hello\n").await.1, Err(ControlError::Malformed { .. })));
        assert!(matches!(answered_with(b"").await.1, Err(ControlError::Malformed { .. })));
        let nobody = ask(Path::new("/nonexistent/control"), ControlRequest::Reboot).await;
        assert!(matches!(nobody, Err(ControlError::Socket { .. })));
    }
}
