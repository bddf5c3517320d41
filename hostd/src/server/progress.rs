//! Notices a connection on which no byte moves.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;

/// Passes bytes through and counts the times some moved.
#[derive(Debug)]
pub(crate) struct Progress<S> {
    stream: S,
    moved: Arc<AtomicU64>,
}

impl<S> Progress<S> {
    pub(crate) fn watch(stream: S) -> (Self, Arc<AtomicU64>) {
        let moved = Arc::new(AtomicU64::new(0));
        (Self { stream, moved: Arc::clone(&moved) }, moved)
    }

    fn note(&self, bytes: usize) {
        if bytes > 0 {
            self.moved.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Ends when nothing moved for `limit` (at most twice that) while `excused` did not hold.
pub(crate) async fn stalled(moved: &AtomicU64, limit: Duration, excused: impl Fn() -> bool) {
    loop {
        let before = moved.load(Ordering::Relaxed);
        tokio::time::sleep(limit).await;
        if moved.load(Ordering::Relaxed) == before && !excused() {
            return;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Progress<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.note(buffer.filled().len() - before);
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Progress<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = result {
            self.note(count);
        }
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        if let Poll::Ready(Ok(count)) = result {
            self.note(count);
        }
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn bytes_in_both_directions_count_as_progress() {
        let (near, mut far) = tokio::io::duplex(64);
        let (mut near, moved) = Progress::watch(near);
        near.write_all(b"out").await.unwrap();
        let after_write = moved.load(Ordering::Relaxed);
        assert!(after_write > 0);
        far.write_all(b"in").await.unwrap();
        let mut bytes = [0; 2];
        near.read_exact(&mut bytes).await.unwrap();
        assert!(moved.load(Ordering::Relaxed) > after_write);
    }

    #[tokio::test]
    async fn silence_ends_unless_excused() {
        let moved = AtomicU64::new(0);
        let checks = AtomicU64::new(0);
        let excused_twice = || checks.fetch_add(1, Ordering::Relaxed) < 2;
        stalled(&moved, Duration::from_millis(1), excused_twice).await;
        assert_eq!(checks.load(Ordering::Relaxed), 3);
    }
}
