//! Upstreams over TLS that misbehave, or answer from a table.

use crate::support::Authority;
use crate::support::LOOPBACK;
use crate::support::SERVER_NAME;
use crate::support::over_tls;
use hickory_proto::op::Message;
use hickory_proto::op::ResponseCode;
use resolver::config::Upstream;
use rustls::ServerConfig;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Longer than any test waits for one try.
const LATE: Duration = Duration::from_secs(6);

/// What it does with a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// Takes the connection and never says a word.
    Mute,
    /// Shakes hands and never answers.
    Silent,
    /// Shakes hands and closes at the first question.
    Closes,
    /// Closes before the handshake.
    HangsUp,
    /// Answers with bytes that are no message.
    Garbage,
    /// Answers another question.
    Elsewhere,
    /// Answers with this code and nothing else.
    Code(ResponseCode),
    /// Speaks without TLS.
    Plaintext,
    /// Answers when nobody waits any more.
    Late,
    /// Answers that there is no data, but never for names that begin with `slow`.
    SlowNames,
    /// Answers that there is no data, and closes the connection.
    OneEach,
}

/// A running fake; ends with the value.
pub(crate) struct Fake {
    pub(crate) upstream: Upstream,
    pub(crate) connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    pub(crate) async fn start(name: &str, authority: &Authority, manner: Manner) -> Self {
        Self::with_certificate(name, authority.issue(SERVER_NAME).server_config(), manner).await
    }

    pub(crate) async fn with_certificate(name: &str, tls: Arc<ServerConfig>, manner: Manner) -> Self {
        let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                // What becomes of the conversation is what the test is about.
                tokio::spawn(converse(stream, TlsAcceptor::from(Arc::clone(&tls)), manner));
            }
        });
        Self { upstream: over_tls(name, port), connections, task }
    }
}

async fn converse(mut stream: TcpStream, tls: TlsAcceptor, manner: Manner) -> std::io::Result<()> {
    match manner {
        Manner::HangsUp => return Ok(()),
        Manner::Mute => return std::future::pending().await,
        Manner::Plaintext => {
            stream.write_all(b"\0\x0cno TLS here!").await?;
            return std::future::pending().await;
        }
        Manner::Silent
        | Manner::Closes
        | Manner::Garbage
        | Manner::Elsewhere
        | Manner::Code(_)
        | Manner::Late
        | Manner::SlowNames
        | Manner::OneEach => {}
    }
    let mut stream = tls.accept(stream).await?;
    loop {
        let length = usize::from(stream.read_u16().await?);
        let mut question = vec![0; length];
        stream.read_exact(&mut question).await?;
        let question = Message::from_vec(&question).unwrap();
        let answer = match manner {
            Manner::Closes => return Ok(()),
            Manner::Garbage => vec![0xff; 40],
            Manner::Elsewhere => {
                let mut answer =
                    crate::clients::question("elsewhere.example.", question.queries[0].query_type);
                answer.metadata.id = question.metadata.id;
                answer.into_response().to_vec().unwrap()
            }
            Manner::Code(code) => {
                let mut answer = question.into_response();
                answer.metadata.response_code = code;
                answer.to_vec().unwrap()
            }
            Manner::Late => {
                tokio::time::sleep(LATE).await;
                question.into_response().to_vec().unwrap()
            }
            Manner::SlowNames if question.queries[0].name.to_ascii().starts_with("slow") => continue,
            Manner::SlowNames | Manner::OneEach => question.into_response().to_vec().unwrap(),
            Manner::Silent | Manner::Mute | Manner::HangsUp | Manner::Plaintext => continue,
        };
        stream.write_u16(u16::try_from(answer.len()).unwrap()).await?;
        stream.write_all(&answer).await?;
        stream.flush().await?;
        if matches!(manner, Manner::OneEach) {
            return stream.shutdown().await;
        }
    }
}
