//! Who is at the other end: noise, then proofs by both validators' keys, inside the transport upgrade.
//!
//! ```text
//! dialer                                        listener
//!   | ---- noise XX, identities of this connection ---- |
//!   | -- hello: version, chain, key, signature -------> |  same chain? allowed? signature?
//!   | <------------------------------ verdict (1 byte)  |  a refused dialer learns no more
//!   | <------- hello: version, chain, key, signature -- |
//!   |  same chain? allowed? signature?                  |
//! ```
//!
//! A signature covers the signer's role, the chain, the noise identities of both ends, and the keys. Noise
//! identities are fresh for each connection, so a proof is good for one connection only. The swarm, and all
//! that parses payloads, see a connection only after both checks, under a peer id which is the proven key.
//!
//! Deliberately absent: any use of libp2p's own identities beyond noise.

use std::{future::Future, io, pin::Pin, sync::Arc, time::Instant};

use coordinator_keys::{PublicKey, SecretKey, Signature};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{
    PeerId,
    core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo},
    identity, noise,
};
use processor_messages::{ChainGenesis, Validator};

use crate::{
    Counters, Reason,
    identity::peer_id,
    meter::Metered,
    peers::{AllowList, Peer},
};

pub(crate) const PROTOCOL: &str = "/headwater/noise-ristretto/1";
const DOMAIN: &str = "headwater p2p handshake v1";
const VERSION: u8 = 1;
const HELLO_BYTES: usize = 1 + 32 + 32 + 64;

/// Why a handshake failed. Each names its [`Reason`]; refusals travel as one byte.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the noise handshake failed: {0}")]
    Noise(#[from] noise::Error),
    #[error("the connection broke off in the handshake: {0}")]
    Io(#[from] io::Error),
    #[error("the peer follows another base chain, or another version of the protocol")]
    WrongChain,
    #[error("the peer's key {0} is not on the allow-list")]
    NotAllowed(Validator),
    #[error("the peer did not prove that it holds the key {0}")]
    BadSignature(Validator),
    #[error("the validator {0} exceeded its quota and is refused for a while")]
    CoolingDown(Validator),
    #[error("the peer refused us: {0}")]
    Refused(&'static str),
}

impl HandshakeError {
    fn reason(&self) -> Reason {
        match self {
            Self::Noise(_) | Self::Io(_) | Self::Refused(_) => Reason::HandshakeMalformed,
            Self::WrongChain => Reason::WrongChain,
            Self::NotAllowed(_) => Reason::NotAllowed,
            Self::BadSignature(_) => Reason::BadSignature,
            Self::CoolingDown(_) => Reason::CoolingDown,
        }
    }

    /// The verdict byte which the refused dialer is told.
    fn code(&self) -> u8 {
        match self {
            Self::WrongChain => 1,
            Self::NotAllowed(_) => 2,
            Self::BadSignature(_) => 3,
            Self::CoolingDown(_) => 4,
            Self::Noise(_) | Self::Io(_) | Self::Refused(_) => 5,
        }
    }
}

const ACCEPTED: u8 = 0;

fn refusal(code: u8) -> HandshakeError {
    HandshakeError::Refused(match code {
        1 => "we follow another base chain, or another version of the protocol",
        2 => "our key is not on its allow-list (it may not have followed the base chain so far)",
        3 => "our proof did not verify",
        4 => "we exceeded its quota and are refused for a while",
        _ => "for a reason unknown to this version",
    })
}

/// The two ends of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Dialer,
    Listener,
}

/// The noise identities of this connection's ends.
#[derive(Clone, Copy)]
struct Channel {
    local: PeerId,
    remote: PeerId,
}

/// The upgrade of every connection; shared by all.
#[derive(Clone)]
pub(crate) struct Handshake {
    pub(crate) chain: ChainGenesis,
    pub(crate) secret: Arc<SecretKey>,
    pub(crate) allow: Arc<AllowList>,
    pub(crate) counters: Arc<Counters>,
}

impl Handshake {
    fn me(&self) -> Validator {
        Validator(self.secret.public().to_bytes())
    }

    /// `to` is the remote key, where the signer knows it already: the listener does.
    fn hello(&self, role: Role, channel: Channel, to: Option<Validator>) -> [u8; HELLO_BYTES] {
        let me = self.me();
        let statement = statement(role, self.chain, channel.local, channel.remote, me, to);
        let signature = self.secret.sign(DOMAIN, &statement);
        let mut hello = [0; HELLO_BYTES];
        let fields = [VERSION].into_iter().chain(self.chain.0).chain(me.0).chain(signature.0);
        for (to, from) in hello.iter_mut().zip(fields) {
            *to = from;
        }
        hello
    }

    /// Checks a hello; the allow-list comes before the signature, so strangers cost one look-up.
    fn check(
        &self,
        hello: [u8; HELLO_BYTES],
        role: Role,
        channel: Channel,
        to: Option<Validator>,
    ) -> Result<Arc<Peer>, HandshakeError> {
        let (version, rest) = hello.split_first().ok_or(HandshakeError::WrongChain)?;
        let (chain, rest) = rest.split_first_chunk::<32>().ok_or(HandshakeError::WrongChain)?;
        let (key, rest) = rest.split_first_chunk::<32>().ok_or(HandshakeError::WrongChain)?;
        let (signature, _) = rest.split_first_chunk::<64>().ok_or(HandshakeError::WrongChain)?;
        if (*version != VERSION) || (*chain != self.chain.0) {
            return Err(HandshakeError::WrongChain);
        }
        let validator = Validator(*key);
        let peer = self.allow.get(&validator).filter(|_| validator != self.me());
        let peer = peer.ok_or(HandshakeError::NotAllowed(validator))?;
        if peer.is_refused(Instant::now()) {
            return Err(HandshakeError::CoolingDown(validator));
        }
        let key = PublicKey::from_bytes(*key).map_err(|_| HandshakeError::BadSignature(validator))?;
        let statement = statement(role, self.chain, channel.remote, channel.local, validator, to);
        if !key.verify(DOMAIN, &statement, &Signature(*signature)) {
            return Err(HandshakeError::BadSignature(validator));
        }
        Ok(peer)
    }

    async fn listen<T>(self, socket: T) -> Result<(Arc<Peer>, noise::Output<T>), HandshakeError>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (noise, local) = noise_of_this_connection()?;
        let (remote, mut io) = noise.upgrade_inbound(socket, PROTOCOL).await?;
        let channel = Channel { local, remote };
        let hello = read_hello(&mut io).await?;
        let peer = match self.check(hello, Role::Dialer, channel, None) {
            Ok(peer) => peer,
            Err(error) => {
                io.write_all(&[error.code()]).await?;
                io.close().await?;
                return Err(error);
            }
        };
        io.write_all(&[ACCEPTED]).await?;
        io.write_all(&self.hello(Role::Listener, channel, Some(peer.validator))).await?;
        io.flush().await?;
        Ok((peer, io))
    }

    async fn dial<T>(self, socket: T) -> Result<(Arc<Peer>, noise::Output<T>), HandshakeError>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (noise, local) = noise_of_this_connection()?;
        let (remote, mut io) = noise.upgrade_outbound(socket, PROTOCOL).await?;
        let channel = Channel { local, remote };
        io.write_all(&self.hello(Role::Dialer, channel, None)).await?;
        io.flush().await?;
        let mut verdict = [0];
        io.read_exact(&mut verdict).await?;
        match verdict {
            [ACCEPTED] => {}
            [code] => return Err(refusal(code)),
        }
        let hello = read_hello(&mut io).await?;
        let peer = self.check(hello, Role::Listener, channel, Some(self.me()))?;
        Ok((peer, io))
    }

    fn finish<T>(
        counters: &Counters,
        outcome: Result<(Arc<Peer>, noise::Output<T>), HandshakeError>,
    ) -> Result<(PeerId, Metered<noise::Output<T>>), HandshakeError> {
        match outcome {
            Ok((peer, io)) => {
                let id = peer_id(peer.validator);
                Ok((id, Metered::new(io, peer)))
            }
            Err(error) => {
                counters.count(error.reason());
                tracing::debug!(%error, "handshake refused");
                Err(error)
            }
        }
    }
}

fn noise_of_this_connection() -> Result<(noise::Config, PeerId), noise::Error> {
    let identity = identity::Keypair::generate_ed25519();
    let local = identity.public().to_peer_id();
    Ok((noise::Config::new(&identity)?, local))
}

async fn read_hello(io: &mut (impl AsyncRead + Unpin)) -> io::Result<[u8; HELLO_BYTES]> {
    let mut hello = [0; HELLO_BYTES];
    io.read_exact(&mut hello).await?;
    Ok(hello)
}

/// What a signature covers. Every part has a fixed length or is preceded by it.
pub(crate) fn statement(
    role: Role,
    chain: ChainGenesis,
    signer_channel: PeerId,
    other_channel: PeerId,
    signer: Validator,
    other: Option<Validator>,
) -> Vec<u8> {
    let mut bytes = vec![VERSION, u8::from(role == Role::Listener)];
    bytes.extend(chain.0);
    for channel in [signer_channel, other_channel] {
        let channel = channel.to_bytes();
        bytes.extend((channel.len() as u64).to_le_bytes());
        bytes.extend(channel);
    }
    bytes.extend(signer.0);
    bytes.push(u8::from(other.is_some()));
    bytes.extend(other.unwrap_or_default().0);
    bytes
}

impl UpgradeInfo for Handshake {
    type Info = &'static str;
    type InfoIter = std::iter::Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once(PROTOCOL)
    }
}

type UpgradeFuture<T> =
    Pin<Box<dyn Future<Output = Result<(PeerId, Metered<noise::Output<T>>), HandshakeError>> + Send>>;

impl<T> InboundConnectionUpgrade<T> for Handshake
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = (PeerId, Metered<noise::Output<T>>);
    type Error = HandshakeError;
    type Future = UpgradeFuture<T>;

    fn upgrade_inbound(self, socket: T, _: Self::Info) -> Self::Future {
        let counters = self.counters.clone();
        Box::pin(async move { Self::finish(&counters, self.listen(socket).await) })
    }
}

impl<T> OutboundConnectionUpgrade<T> for Handshake
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = (PeerId, Metered<noise::Output<T>>);
    type Error = HandshakeError;
    type Future = UpgradeFuture<T>;

    fn upgrade_outbound(self, socket: T, _: Self::Info) -> Self::Future {
        let counters = self.counters.clone();
        Box::pin(async move { Self::finish(&counters, self.dial(socket).await) })
    }
}
