//! Requests and responses between two validators: bounded frames on a stream of their own.
//!
//! ```text
//! request   genesis (32)  length (4, LE)  bytes
//! response  0 | 1         length (4, LE)  bytes      0: refused, without bytes
//! ```
//!
//! A request with an all-zero genesis is a probe: answered at once, with nothing. A claimed length beyond the
//! bound ends the stream before anything is read; memory grows with what arrives, never with what is claimed.

use std::{io, sync::Arc};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{StreamProtocol, request_response};
use processor_messages::Genesis;

use crate::{Counters, Reason};

pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/headwater/sync/1");

/// What asks whether a connection is alive.
pub(crate) const PROBE: Genesis = Genesis([0; 32]);

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct SyncRequest {
    pub(crate) genesis: Genesis,
    pub(crate) bytes: Vec<u8>,
}

/// One response; `None` refuses.
pub(crate) type SyncResponse = Option<Vec<u8>>;

/// The frames above, with their bounds.
#[derive(Clone, Debug)]
pub(crate) struct SyncCodec {
    pub(crate) max_request: usize,
    pub(crate) max_response: usize,
    pub(crate) counters: Arc<Counters>,
}

impl SyncCodec {
    /// libp2p says nothing about an incoming request that cannot be read, so the count is made here.
    fn count<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        if outcome.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::InvalidData) {
            self.counters.count(Reason::Malformed);
        }
        outcome
    }
}

impl request_response::Codec for SyncCodec {
    type Protocol = StreamProtocol;
    type Request = SyncRequest;
    type Response = SyncResponse;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<SyncRequest>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut genesis = [0; 32];
        io.read_exact(&mut genesis).await?;
        let bytes = self.count(read_bounded(io, self.max_request).await)?;
        Ok(SyncRequest { genesis: Genesis(genesis), bytes })
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<SyncResponse>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut tag = [0];
        io.read_exact(&mut tag).await?;
        let bytes = self.count(read_bounded(io, self.max_response).await)?;
        match tag {
            [0] => Ok(None),
            [1] => Ok(Some(bytes)),
            _ => self.count(Err(invalid("a response begins with 0 or 1"))),
        }
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, req: SyncRequest) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&req.genesis.0).await?;
        write_frame(io, &req.bytes).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, res: SyncResponse) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&[u8::from(res.is_some())]).await?;
        write_frame(io, &res.unwrap_or_default()).await
    }
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

async fn read_bounded(io: &mut (impl AsyncRead + Unpin), most: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    io.read_exact(&mut length).await?;
    let length = u32::from_le_bytes(length);
    if usize::try_from(length).map_or(true, |length| length > most) {
        return Err(invalid("a frame is longer than the bound"));
    }
    let mut bytes = Vec::new();
    io.take(u64::from(length)).read_to_end(&mut bytes).await?;
    if bytes.len() as u64 != u64::from(length) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

async fn write_frame(io: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| invalid("a frame is longer than 4 GiB"))?;
    io.write_all(&length.to_le_bytes()).await?;
    io.write_all(bytes).await
}
