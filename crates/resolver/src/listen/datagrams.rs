//! Questions over UDP.

use crate::request::MAX_QUESTION;
use crate::resolver::Begun;
use crate::resolver::Core;
use crate::resolver::Over;
use futures_util::FutureExt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// Datagrams taken in one go before others get a turn.
const BATCH: usize = 32;

pub(super) async fn serve(core: Arc<Core>, socket: Arc<UdpSocket>) {
    let mut buffer = vec![0; MAX_QUESTION + 1];
    // As many as the places for questions that take a while.
    let mut waiting = JoinSet::new();
    loop {
        tokio::select! {
            // Cancel-safe: only says that there is something.
            ready = socket.readable() => {
                if let Err(error) = ready {
                    tracing::error!(error = &error as &dyn std::error::Error, "a socket for clients ended");
                    return;
                }
                for _ in 0..BATCH {
                    match socket.try_recv_from(&mut buffer) {
                        Ok((length, client)) => {
                            let message = buffer.get(..length).unwrap_or_default();
                            answer(&core, &socket, message, client, &mut waiting);
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        // News of an earlier answer that did not arrive (ICMP).
                        Err(_) => {}
                    }
                }
                tokio::task::yield_now().await;
            }
            // Cancel-safe: a finished task stays in the set until it is taken out.
            Some(_finished) = waiting.join_next(), if !waiting.is_empty() => {}
        }
    }
}

fn answer(
    core: &Arc<Core>,
    socket: &Arc<UdpSocket>,
    message: &[u8],
    client: SocketAddr,
    waiting: &mut JoinSet<()>,
) {
    match core.begin(message, client.ip(), Over::Datagram) {
        Begun::Silence => {}
        Begun::Now(answer) => send(socket, &answer, client),
        Begun::Later(mut answer) => match (&mut answer).now_or_never() {
            Some(answer) => send(socket, &answer, client),
            None => {
                let socket = Arc::clone(socket);
                waiting.spawn(async move { send(&socket, &answer.await, client) });
            }
        },
    }
}

/// A full send buffer loses the answer, as any datagram may be lost: the client asks again.
fn send(socket: &UdpSocket, answer: &[u8], client: SocketAddr) {
    if let Err(error) = socket.try_send_to(answer, client) {
        tracing::debug!(error = &error as &dyn std::error::Error, "an answer was not sent");
    }
}
