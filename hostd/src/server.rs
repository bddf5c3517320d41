//! Listening and speaking HTTP/1.1, with a bound on everything a stranger can make us hold.
//!
//! | what | bound |
//! |---|---|
//! | connections, both ports together | [`MAX_CONNECTIONS`]; a newcomer displaces the connection that has idled longest |
//! | TLS handshake | [`HANDSHAKE_LIMIT`] |
//! | request head, and waiting for the next one | [`HEAD_LIMIT`], [`MAX_HEAD`] bytes, [`MAX_HEADERS`] headers |
//! | request body | [`crate::api::body::TIME_LIMIT`], [`crate::api::body::MAX_BYTES`] |
//! | a peer that takes nothing of an answer | [`STALL_LIMIT`] |
//!
//! A connection is idle unless a handler works for it: one that trickles its request or does not take its answer can be
//! displaced like one that says nothing, so the bound never locks out a newcomer.

pub mod connections;
mod progress;
pub mod tls;

use crate::app::App;
use crate::web::Reply;
use connections::Busy;
use connections::Connections;
use connections::Ticket;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use progress::Progress;
use std::convert::Infallible;
use std::error::Error;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// Connections on both ports together; below the usual limit of 1024 open files, with room for the rest of the daemon.
pub const MAX_CONNECTIONS: usize = 512;
/// How long a TLS handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long a request head may take, counted from when the connection is free for it; so an idle connection ends after this.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// Longest request head in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// Read and write buffer of a connection in bytes; not below the head's limit.
const BUFFER: usize = 32 * 1024;
/// Headers in a request.
const MAX_HEADERS: usize = 64;
/// How long no byte may move in either direction while no handler works.
const STALL_LIMIT: Duration = Duration::from_secs(30);
/// Wait after a failed accept (out of files, for example), which would else fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who a request comes from.
#[derive(Clone, Debug)]
pub struct Visitor {
    address: IpAddr,
    ticket: Option<Arc<Ticket>>,
}

impl Visitor {
    /// Somebody at this address, without a connection that could be displaced.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self { address: address.to_canonical(), ticket: None }
    }

    /// Their address.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Keeps their connection from being displaced for as long as the result lives.
    #[must_use]
    pub fn busy(&self) -> Option<Busy> {
        self.ticket.as_ref().map(Ticket::busy)
    }
}

/// What a port speaks.
#[derive(Clone)]
pub enum Port {
    /// HTTP: welcome page and redirects.
    Plain,
    /// HTTPS: everything.
    Secure(TlsAcceptor),
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::Secure(_) => "Secure",
        })
    }
}

/// Accepts connections until they are to close, and ends with the last of them; dropping the task closes them at once.
pub async fn serve(listener: TcpListener, port: Port, app: Arc<App>, connections: Arc<Connections>) {
    let mut attended = JoinSet::new();
    loop {
        // Ended ones would else pile up.
        while attended.try_join_next().is_some() {}
        // Both are cancel safe: what was not accepted stays in the kernel's queue.
        let accepted = tokio::select! {
            () = connections.closing() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let address = peer.ip().to_canonical();
                let Some(ticket) = connections.admit(address) else { continue };
                attended.spawn(attend(stream, address, Arc::new(ticket), port.clone(), Arc::clone(&app)));
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    while attended.join_next().await.is_some() {}
}

/// One connection from its first byte to its last.
async fn attend(stream: TcpStream, address: IpAddr, ticket: Arc<Ticket>, port: Port, app: Arc<App>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = &error as &dyn Error, "a connection keeps Nagle's algorithm");
    }
    let (stream, moved) = Progress::watch(stream);
    let visitor = Visitor { address, ticket: Some(Arc::clone(&ticket)) };
    let speak = async {
        match port {
            Port::Plain => speak_plain(stream, app, &ticket).await,
            Port::Secure(acceptor) => match timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => speak_secure(stream, app, visitor, &ticket).await,
                Ok(Err(error)) => {
                    tracing::debug!(error = &error as &dyn Error, %address, "a TLS handshake failed");
                }
                Err(_elapsed) => tracing::debug!(%address, "a TLS handshake took too long"),
            },
        }
    };
    // Whichever ends first ends the connection; dropping the others closes it.
    tokio::select! {
        () = speak => {}
        () = ticket.displaced() => tracing::debug!(%address, "a connection made room for another"),
        () = progress::stalled(&moved, STALL_LIMIT, || ticket.is_busy()) => {
            tracing::debug!(%address, "a connection stalled");
        }
    }
}

async fn speak_plain(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    app: Arc<App>,
    ticket: &Ticket,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let reply = app.answer_plain(&request);
        async move { Ok::<_, Infallible>(reply) }
    });
    speak(stream, service, ticket).await;
}

async fn speak_secure(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    app: Arc<App>,
    visitor: Visitor,
    ticket: &Ticket,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (app, visitor) = (Arc::clone(&app), visitor.clone());
        async move { Ok::<_, Infallible>(app.answer(request, &visitor).await) }
    });
    speak(stream, service, ticket).await;
}

async fn speak<S>(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, service: S, ticket: &Ticket)
where
    S: Service<Request<Incoming>, Response = Reply, Error = Infallible>,
{
    let mut connection = pin!(http().serve_connection(TokioIo::new(stream), service));
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = ticket.closing() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(error = &error as &dyn Error, "a connection broke off");
    }
}

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_header_size(MAX_HEAD)
        .max_buf_size(BUFFER)
        .max_headers(MAX_HEADERS);
    http
}
