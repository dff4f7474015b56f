//! Counts the decrypted bytes of a connection, and breaks it off when its validator exceeds the quota.
//!
//! It sits below the multiplexer, so it bounds everything a peer can send: frames of the multiplexer, control
//! messages of gossip, requests.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use futures::{AsyncRead, AsyncWrite};

use crate::peers::Peer;

/// Why a metered stream broke off; the network task looks for it in the closed connection's cause.
#[derive(Debug, thiserror::Error)]
#[error("the validator exceeded its byte quota")]
pub(crate) struct ByteQuotaExceeded;

/// A stream of one validator.
pub(crate) struct Metered<T> {
    io: T,
    peer: Arc<Peer>,
}

impl<T> Metered<T> {
    pub(crate) fn new(io: T, peer: Arc<Peer>) -> Self {
        Self { io, peer }
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl<T: AsyncRead + Unpin> AsyncRead for Metered<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        if !self.peer.received(length(read), Instant::now()) {
            return Poll::Ready(Err(io::Error::other(ByteQuotaExceeded)));
        }
        Poll::Ready(Ok(read))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Metered<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, buffer))?;
        self.peer.sent(length(written));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_close(cx)
    }
}
