//! Long bodies: handed to their handler while they arrive, so that no file is ever whole in memory.

use super::body;
use super::error::ApiError;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::body::Bytes;
use std::error::Error;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Pieces that wait for a slow disk.
const WAITING: usize = 4;
/// How long the next piece may take. A connection that trickles is displaced before others are kept out (`server`).
const PIECE_LIMIT: Duration = Duration::from_secs(30);

/// A body that arrives.
#[derive(Debug)]
pub struct Upload(mpsc::Receiver<Piece>);

/// Where it comes from.
#[derive(Debug)]
pub struct Source(mpsc::Sender<Piece>);

#[derive(Debug)]
enum Piece {
    Data(Bytes),
    /// Nothing follows. Without it the client has hung up.
    End,
}

/// A body's two ends.
#[must_use]
pub fn channel() -> (Source, Upload) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Source(sender), Upload(receiver))
}

impl Upload {
    /// The next piece; `None` behind the last one.
    ///
    /// # Errors
    ///
    /// When the body broke off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        match self.0.recv().await {
            Some(Piece::Data(bytes)) => Ok(Some(bytes)),
            Some(Piece::End) => Ok(None),
            None => Err(broken_off()),
        }
    }
}

impl Source {
    /// Hands over a whole body; what its handler does not want any more is thrown away.
    ///
    /// # Errors
    ///
    /// When it broke off or was too slow: the connection is of no more use.
    pub async fn feed<B>(self, mut incoming: B) -> Result<(), ApiError>
    where
        B: Body<Data = Bytes> + Send + Unpin,
        B::Error: Error + Send + Sync + 'static,
    {
        let late = |_elapsed| {
            let message = "The file arrived too slowly. Try again.";
            ApiError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message)
        };
        while let Some(frame) = timeout(PIECE_LIMIT, incoming.frame()).await.map_err(late)? {
            let frame = frame.map_err(|error| {
                tracing::debug!(error = &error as &dyn Error, "a request body broke off");
                broken_off()
            })?;
            let Ok(data) = frame.into_data() else { continue };
            if self.0.send(Piece::Data(data)).await.is_err() {
                return body::read(incoming, 0).await.map(drop);
            }
        }
        // The handler may have refused it by now.
        drop(self.0.send(Piece::End).await);
        Ok(())
    }
}

fn broken_off() -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "malformed_body", "The request did not arrive whole.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    #[tokio::test]
    async fn a_body_arrives_whole_or_is_told_to_have_broken_off() {
        let (source, mut upload) = channel();
        let feeding = tokio::spawn(source.feed(Full::new(Bytes::from_static(b"abc"))));
        assert_eq!(upload.next().await.unwrap().as_deref(), Some(&b"abc"[..]));
        assert_eq!(upload.next().await.unwrap(), None);
        feeding.await.unwrap().unwrap();

        let (source, mut upload) = channel();
        source.0.send(Piece::Data(Bytes::from_static(b"a"))).await.unwrap();
        drop(source);
        assert!(upload.next().await.unwrap().is_some());
        upload.next().await.unwrap_err();
    }

    #[tokio::test]
    async fn what_nobody_wants_is_thrown_away() {
        let (source, upload) = channel();
        drop(upload);
        source.feed(Full::new(Bytes::from_static(b"abc"))).await.unwrap();
    }
}
