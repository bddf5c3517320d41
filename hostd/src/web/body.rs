//! What an answer carries: made whole before it is sent, read from a private file while it is sent, or told as it happens.

use http_body_util::Full;
use hyper::body::Body;
use hyper::body::Bytes;
use hyper::body::Frame;
use hyper::body::SizeHint;
use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use tokio::sync::mpsc;

/// Pieces that wait for a slow reader.
const WAITING: usize = 2;

/// The body of an answer.
#[derive(Debug)]
pub enum ReplyBody {
    /// Whole.
    Whole(Full<Bytes>),
    /// In pieces.
    Pieces(Pieces),
    /// Of no known length: as long as the sender lives and is read.
    Open(mpsc::Receiver<Bytes>),
}

/// Pieces of a body whose length is known; it breaks off when they end early.
#[derive(Debug)]
pub struct Pieces {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
}

impl Pieces {
    /// A body of this length, and where its pieces go.
    #[must_use]
    pub fn of_length(length: u64) -> (mpsc::Sender<io::Result<Bytes>>, Self) {
        let (sender, pieces) = mpsc::channel(WAITING);
        (sender, Self { pieces, left: length })
    }
}

impl Default for ReplyBody {
    fn default() -> Self {
        Self::Whole(Full::default())
    }
}

impl<T: Into<Bytes>> From<T> for ReplyBody {
    fn from(whole: T) -> Self {
        Self::Whole(Full::new(whole.into()))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Whole(whole) => {
                let frame = ready!(Pin::new(whole).poll_frame(context));
                Poll::Ready(frame.map(|frame| frame.map_err(|never| match never {})))
            }
            Self::Open(pieces) => {
                Poll::Ready(ready!(pieces.poll_recv(context)).map(|piece| Ok(Frame::data(piece))))
            }
            Self::Pieces(body) => Poll::Ready(match ready!(body.pieces.poll_recv(context)) {
                Some(Ok(piece)) => {
                    body.left = body.left.saturating_sub(piece.len() as u64);
                    Some(Ok(Frame::data(piece)))
                }
                Some(Err(error)) => Some(Err(error)),
                None if body.left > 0 => Some(Err(io::ErrorKind::UnexpectedEof.into())),
                None => None,
            }),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Pieces(body) => SizeHint::with_exact(body.left),
            Self::Open(_) => SizeHint::default(),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Pieces(body) => body.left == 0,
            Self::Open(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn an_open_body_ends_with_its_sender() {
        let (sender, pieces) = mpsc::channel(1);
        let mut body = ReplyBody::Open(pieces);
        assert_eq!(body.size_hint().exact(), None);
        sender.send(Bytes::from_static(b"a")).await.unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "a");
        drop(sender);
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_body_in_pieces_is_whole_or_an_error() {
        for (pieces, whole) in [(&[&b"abc"[..], b"de"][..], Some("abcde")), (&[b"abc"], None), (&[], None)] {
            let (sender, body) = Pieces::of_length(5);
            let body = ReplyBody::Pieces(body);
            assert_eq!(body.size_hint().exact(), Some(5));
            let pieces: Vec<Bytes> = pieces.iter().map(|piece| Bytes::from_static(piece)).collect();
            let feed = tokio::spawn(async move {
                for piece in pieces {
                    sender.send(Ok(piece)).await.unwrap();
                }
            });
            let got = body.collect().await.ok().map(|got| got.to_bytes());
            feed.await.unwrap();
            assert_eq!(got.as_deref(), whole.map(str::as_bytes));
        }
    }
}
