//! Questions over TCP (RFC 7766) and TLS (RFC 7858).

use crate::request::MAX_QUESTION;
use crate::resolver::Begun;
use crate::resolver::Core;
use crate::resolver::Over;
use rustls::ServerConfig;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// Questions under way on one connection.
const MAX_PIPELINED: usize = 8;
/// After a failure to accept, such as no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn serve(core: Arc<Core>, socket: TcpListener, tls: Option<Arc<ServerConfig>>) {
    let tls = tls.map(TlsAcceptor::from);
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            // Cancel-safe: a connection that was not accepted stays in the kernel's queue.
            accepted = socket.accept() => match accepted {
                Ok((stream, peer)) => {
                    let client = peer.ip().to_canonical();
                    // No place: the connection is closed at once.
                    let Some(place) = core.connections.take(client) else { continue };
                    let (core, tls) = (Arc::clone(&core), tls.clone());
                    open.spawn(async move {
                        let served = match tls {
                            None => converse(&core, stream, client).await,
                            Some(tls) => match timeout(core.timing.idle_client, tls.accept(stream)).await {
                                Ok(Ok(stream)) => converse(&core, stream, client).await,
                                Ok(Err(error)) => Err(error),
                                Err(_) => Err(io::ErrorKind::TimedOut.into()),
                            },
                        };
                        if let Err(error) = served {
                            tracing::debug!(error = &error as &dyn std::error::Error, "a client's connection ended");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "accepting a client");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            // Cancel-safe: a finished task stays in the set until it is taken out.
            Some(_finished) = open.join_next(), if !open.is_empty() => {}
        }
    }
}

/// Reads questions and writes answers in whatever order they become ready, until the client is done or idle.
async fn converse(core: &Arc<Core>, stream: impl AsyncRead + AsyncWrite, client: IpAddr) -> io::Result<()> {
    let idle = core.timing.idle_client;
    let (reader, writer) = tokio::io::split(stream);
    let (answers, outgoing) = mpsc::channel(1);
    let writing = std::pin::pin!(write_answers(writer, outgoing, idle));
    let mut waiting = JoinSet::new();
    let reading = std::pin::pin!(read_questions(core, reader, client, answers, &mut waiting));
    first_then(writing, reading, core.timing.whole_question + core.timing.helper).await
}

/// Ends with the writer; after the reader's end the writer has a while to send what is still to come.
async fn first_then(
    mut writing: impl Future<Output = io::Result<()>> + Unpin,
    reading: impl Future<Output = io::Result<()>> + Unpin,
    grace: Duration,
) -> io::Result<()> {
    tokio::select! {
        // Neither is used again once the other decides, except the writer, which goes on below.
        written = &mut writing => return written,
        read = reading => read?,
    }
    timeout(grace, writing).await.unwrap_or(Ok(()))
}

async fn read_questions(
    core: &Arc<Core>,
    mut reader: impl AsyncRead + Unpin,
    client: IpAddr,
    answers: mpsc::Sender<Vec<u8>>,
    waiting: &mut JoinSet<()>,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(MAX_PIPELINED));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return Ok(()) };
        while waiting.try_join_next().is_some() {}
        let question = match timeout(core.timing.idle_client, read_question(&mut reader)).await {
            Ok(Ok(question)) => question,
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Ok(Err(error)) => return Err(error),
            Err(_idle) => return Ok(()),
        };
        match core.begin(&question, client, Over::Stream) {
            // No question, or not DNS at all.
            Begun::Silence => return Ok(()),
            Begun::Now(answer) => {
                if answers.send(answer).await.is_err() {
                    return Ok(());
                }
            }
            Begun::Later(answer) => {
                let answers = answers.clone();
                waiting.spawn(async move {
                    // The connection may be over by then.
                    drop(answers.send(answer.await).await);
                    drop(place);
                });
            }
        }
    }
}

/// RFC 1035 section 4.2.2: two octets of length, then the message.
async fn read_question(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = usize::from(reader.read_u16().await?);
    if length > MAX_QUESTION {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut question = vec![0; length];
    reader.read_exact(&mut question).await?;
    Ok(question)
}

async fn write_answers(
    mut writer: impl AsyncWrite + Unpin,
    mut outgoing: mpsc::Receiver<Vec<u8>>,
    idle: Duration,
) -> io::Result<()> {
    while let Some(answer) = outgoing.recv().await {
        let Ok(length) = u16::try_from(answer.len()) else { continue };
        // One write: length and message belong in one segment (RFC 7766 section 8).
        let mut framed = Vec::with_capacity(2 + answer.len());
        framed.extend(length.to_be_bytes());
        framed.extend(answer);
        let write = async {
            writer.write_all(&framed).await?;
            writer.flush().await
        };
        timeout(idle, write).await.map_err(|_elapsed| io::Error::from(io::ErrorKind::TimedOut))??;
    }
    writer.shutdown().await
}
