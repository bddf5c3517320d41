//! One encrypted connection to an upstream, shared by all questions under way.

use super::Failure;
use crate::config::Protocol;
use futures_util::StreamExt;
use hickory_net::DnsHandle;
use hickory_net::DnsMultiplexer;
use hickory_net::NetError;
use hickory_net::h2;
use hickory_net::runtime::DnsUdpSocket;
use hickory_net::runtime::RuntimeProvider;
use hickory_net::runtime::TokioHandle;
use hickory_net::runtime::TokioTime;
use hickory_net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_net::tcp::TcpClientStream;
use hickory_net::tcp::TcpStream as DnsTcpStream;
use hickory_net::xfer::BufDnsStreamHandle;
use hickory_net::xfer::DnsExchange;
use hickory_net::xfer::DnsExchangeBackground;
use hickory_net::xfer::DnsRequestSender;
use hickory_proto::op::DnsRequest;
use hickory_proto::op::DnsRequestOptions;
use hickory_proto::op::Message;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// Questions under way on one connection.
const MAX_ACTIVE: usize = 128;

/// Where and how to connect.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) socket: SocketAddr,
    pub(crate) protocol: Protocol,
    pub(crate) server_name: ServerName<'static>,
    pub(crate) tls: Arc<ClientConfig>,
}

/// An open connection; dropping it closes it.
pub(crate) struct Connection {
    exchange: DnsExchange<EncryptedOnly>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects; every way to an upstream begins here, and every one with a TLS handshake.
    ///
    /// Questions are forgotten after `question_timeout`, which must be longer than anybody waits: its end looks like the connection's.
    pub(crate) async fn open(endpoint: &Endpoint, question_timeout: Duration) -> Result<Self, Failure> {
        let socket = endpoint.socket;
        match &endpoint.protocol {
            Protocol::Tls => {
                let tcp = connect(socket).await.map_err(|error| of_io(&error))?;
                let tls = TlsConnector::from(Arc::clone(&endpoint.tls))
                    .connect(endpoint.server_name.clone(), tcp)
                    .await
                    .map_err(|error| of_io(&error))?;
                let (sender, outgoing) = BufDnsStreamHandle::new(socket);
                let stream =
                    DnsTcpStream::from_stream_with_receiver(AsyncIoTokioAsStd(tls), socket, outgoing);
                let stream = DnsMultiplexer::new(TcpClientStream::from_stream(stream), sender)
                    .with_timeout(question_timeout)
                    .with_max_active_requests(MAX_ACTIVE);
                Ok(Self::drive(stream))
            }
            Protocol::Https { path } => {
                let tcp = async move { connect(socket).await.map(AsyncIoTokioAsStd) };
                let authority: Arc<str> = endpoint.server_name.to_str().into();
                let stream = h2::connect(
                    tcp,
                    Arc::clone(&endpoint.tls),
                    socket,
                    authority,
                    path.as_str().into(),
                    None,
                )
                .await
                .map_err(|error| of_net(&error))?;
                Ok(Self::drive(stream))
            }
        }
    }

    fn drive(stream: impl DnsRequestSender) -> Self {
        let (exchange, background): (_, DnsExchangeBackground<_, TokioTime>) =
            DnsExchange::from_stream(stream);
        Self { exchange, driver: tokio::spawn(background) }
    }

    /// True when the other side has ended it.
    pub(crate) fn is_over(&self) -> bool {
        self.driver.is_finished()
    }

    /// Sends a question and waits for whatever comes back under its id.
    pub(crate) async fn ask(&self, question: Message) -> Result<Message, Failure> {
        let request = DnsRequest::new(question, DnsRequestOptions::default());
        match self.exchange.send(request).next().await {
            Some(Ok(response)) => Ok(response.into_message()),
            Some(Err(error)) => Err(of_net(&error)),
            None => Err(Failure::Closes),
        }
    }
}

async fn connect(socket: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(socket).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest says that what came was not understood")]
fn of_net(error: &NetError) -> Failure {
    match error {
        NetError::Io(error) => of_io(error),
        NetError::Timeout => Failure::Silent,
        NetError::Busy => Failure::Busy,
        NetError::H2(error) => match error.get_io() {
            Some(error) => of_io(error),
            None => Failure::Closes,
        },
        NetError::RustlsError(error) => of_tls(error),
        NetError::Message(_) | NetError::Msg(_) | NetError::NoConnections => Failure::Closes,
        _ => Failure::Nonsense,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest are ways for a connection to end")]
fn of_io(error: &io::Error) -> Failure {
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return of_tls(error);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::RefusesConnections,
        io::ErrorKind::TimedOut => Failure::Silent,
        io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::PermissionDenied => Failure::Unreachable,
        io::ErrorKind::InvalidData => Failure::Nonsense,
        _ => Failure::Closes,
    }
}

fn of_tls(error: &rustls::Error) -> Failure {
    if let rustls::Error::InvalidCertificate(error) = error {
        Failure::Certificate { detail: error.to_string() }
    } else {
        Failure::Encryption { detail: error.to_string() }
    }
}

/// The runtime that hickory's types are told of: it can neither make a UDP socket, of which there is no value, nor connect by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncryptedOnly;

/// A datagram socket that does not exist.
#[derive(Debug)]
pub(crate) enum NoDatagrams {}

impl DnsUdpSocket for NoDatagrams {
    type Time = TokioTime;

    fn poll_recv_from(&self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        match *self {}
    }

    fn poll_send_to(&self, _: &mut Context<'_>, _: &[u8], _: SocketAddr) -> Poll<io::Result<usize>> {
        match *self {}
    }
}

type Opening<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

impl RuntimeProvider for EncryptedOnly {
    type Handle = TokioHandle;
    type Timer = TokioTime;
    type Udp = NoDatagrams;
    type Tcp = AsyncIoTokioAsStd<TcpStream>;

    fn create_handle(&self) -> TokioHandle {
        TokioHandle::default()
    }

    fn connect_tcp(&self, _: SocketAddr, _: Option<SocketAddr>, _: Option<Duration>) -> Opening<Self::Tcp> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn bind_udp(&self, _: SocketAddr, _: SocketAddr) -> Opening<NoDatagrams> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// Every file that mentions a way to open a socket, and what for.
    const SOCKETS: [(&str, &str); 2] = [
        ("upstream/connection.rs", "this file: TLS follows at once"),
        ("listen.rs", "binds for clients, never connects"),
    ];

    #[tokio::test]
    async fn hickory_can_open_nothing_by_itself() {
        let somewhere = SocketAddr::from(([127, 0, 0, 1], 853));
        assert!(
            matches!(EncryptedOnly.connect_tcp(somewhere, None, None).await, Err(error) if error.kind() == io::ErrorKind::Unsupported)
        );
        EncryptedOnly.bind_udp(somewhere, somewhere).await.unwrap_err();
    }

    #[test]
    fn no_other_file_opens_sockets() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let ways =
            ["::connect(", "TcpSocket", "UdpSocket", "::bind(", "UdpClientStream", "TokioRuntimeProvider"];
        let mut folders = vec![root.clone()];
        let mut seen = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                seen += 1;
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                let allowed = SOCKETS.iter().any(|(file, _)| name == *file || name.starts_with("listen/"));
                let text = fs::read_to_string(&path).unwrap();
                for way in ways {
                    assert!(allowed || !text.contains(way), "{name} contains {way}");
                }
            }
        }
        assert!(seen > 10);
    }
}
