//! What the rest of the process holds: a cheap clone that talks to the network task.

use std::{
    collections::{BTreeSet, HashSet},
    net::SocketAddr,
    sync::Arc,
};

use processor_messages::{Genesis, Validator};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    Counters, P2pError, PeerInfo,
    envelope::seal,
    inbox::Inbox,
    network::{Command, Shared},
};

/// The network, as its users see it. The network task ends when the last handle is dropped.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) listen: SocketAddr,
    pub(crate) connected: watch::Receiver<BTreeSet<Validator>>,
}

impl Handle {
    /// Where we listen, with the actual port.
    #[must_use]
    pub fn listen_address(&self) -> SocketAddr {
        self.listen
    }

    /// Replaces the allow-list and the addresses (`host:port`, looked up at each attempt). Whoever is no
    /// longer on it is disconnected; who is on it without an address may still dial us.
    ///
    /// # Errors
    /// [`P2pError::Stopped`].
    pub async fn set_peers(&self, peers: Vec<(Validator, Vec<String>)>) -> Result<(), P2pError> {
        self.ask(|reply| Command::SetPeers { peers, reply }).await
    }

    /// Joins a chain; from now on only `members` can speak in it. Membership of a chain never changes.
    ///
    /// # Errors
    /// [`P2pError::ChainOpen`], [`P2pError::TooManyChains`], [`P2pError::Stopped`].
    pub async fn open_chain(&self, genesis: Genesis, members: HashSet<Validator>) -> Result<Inbox, P2pError> {
        self.ask(|reply| Command::Open { genesis, members, reply }).await?
    }

    /// Joins a topic of everybody: its members are all validators on the allow-list, whoever they are from time to
    /// time. For short messages: each member has room for 32 KiB that is not read yet (`P2P-16`).
    ///
    /// # Errors
    /// As [`Handle::open_chain`].
    pub async fn open_common(&self, genesis: Genesis) -> Result<Inbox, P2pError> {
        self.ask(|reply| Command::OpenCommon { genesis, reply }).await?
    }

    /// Charges a validator for something which no honest one says, as for a forged message: over its quota it is
    /// disconnected and refused for a while (`P2P-16`).
    ///
    /// # Errors
    /// [`P2pError::Stopped`].
    pub async fn charge(&self, validator: Validator) -> Result<(), P2pError> {
        self.ask(|reply| Command::Charge { validator, reply }).await
    }

    /// Leaves a chain; its inbox ends. Nothing happens if it is not open.
    ///
    /// # Errors
    /// [`P2pError::Stopped`].
    pub async fn close_chain(&self, genesis: Genesis) -> Result<(), P2pError> {
        self.ask(|reply| Command::Close { genesis, reply }).await
    }

    /// Sends `bytes`, signed, to all members: directly to up to twelve and by relay to the rest. The same
    /// bytes may be published again: each publication travels anew.
    ///
    /// # Errors
    /// [`P2pError::NoPeers`] if no member is reachable; [`P2pError::QueuesFull`], [`P2pError::TooLarge`],
    /// [`P2pError::UnknownChain`], [`P2pError::Stopped`].
    pub async fn publish(&self, genesis: Genesis, bytes: Vec<u8>) -> Result<(), P2pError> {
        if bytes.len() > self.shared.max_message_bytes {
            return Err(P2pError::TooLarge);
        }
        let sealed = seal(&self.shared.secret, genesis, self.shared.stamps.next(), &bytes);
        self.ask(|reply| Command::Publish { genesis, sealed, reply }).await?
    }

    /// Asks one member, and waits for its answer for up to the configured time.
    ///
    /// # Errors
    /// [`P2pError::Unreachable`], [`P2pError::NoResponse`], [`P2pError::Refused`], [`P2pError::Busy`],
    /// [`P2pError::TooLarge`], [`P2pError::UnknownChain`], [`P2pError::Stopped`].
    pub async fn request(
        &self,
        to: Validator,
        genesis: Genesis,
        bytes: Vec<u8>,
    ) -> Result<Vec<u8>, P2pError> {
        let answer = self.ask(|reply| Command::Request { to, genesis, bytes, reply });
        // libp2p's own bound begins only once the stream is agreed on.
        tokio::time::timeout(self.shared.request_timeout, answer)
            .await
            .map_err(|_| P2pError::NoResponse)??
    }

    /// Everyone connected, for status.
    #[must_use]
    pub fn connected(&self) -> Vec<PeerInfo> {
        self.shared.allow.connected()
    }

    /// The connected validators, to wait for changes.
    #[must_use]
    pub fn watch_connected(&self) -> watch::Receiver<BTreeSet<Validator>> {
        self.connected.clone()
    }

    /// What was refused, by reason.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    pub(crate) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, P2pError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| P2pError::Stopped)?;
        answer.await.map_err(|_| P2pError::Stopped)
    }
}
