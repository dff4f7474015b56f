//! What an operator may set, and the bounds that follow.

use std::{net::SocketAddr, time::Duration};

use processor_messages::ChainGenesis;

use crate::StartError;

/// How much one validator may send us, over all its connections together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota {
    /// Sustained bytes a second, counted on the decrypted stream.
    pub bytes_per_second: u64,
    /// Bytes that may arrive at once after silence.
    pub burst_bytes: u64,
    /// Sustained messages a second: gossip, its control messages, and requests.
    pub messages_per_second: u64,
    /// Messages that may arrive at once after silence.
    pub burst_messages: u64,
    /// How long a validator that exceeds it stays refused.
    pub cooldown: Duration,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            bytes_per_second: 64 << 20,
            burst_bytes: 256 << 20,
            messages_per_second: 5_000,
            burst_messages: 50_000,
            cooldown: Duration::from_secs(30),
        }
    }
}

/// The configuration of [`start`](crate::start); validated there, once.
#[derive(Clone, Debug)]
pub struct Config {
    /// The base chain whose validators we talk to; a peer of another chain is refused in the handshake.
    pub chain: ChainGenesis,
    /// Where to listen. Port 0 takes a free one, which [`Handle::listen_address`](crate::Handle) tells.
    pub listen: SocketAddr,
    /// The largest gossip message, in bytes; a block and what surrounds it.
    pub max_message_bytes: usize,
    /// The largest request, in bytes.
    pub max_request_bytes: usize,
    /// The largest response, in bytes.
    pub max_response_bytes: usize,
    /// From the TCP connection until both sides are authenticated.
    pub handshake_timeout: Duration,
    /// From a request until its response.
    pub request_timeout: Duration,
    /// How often an authenticated connection is asked whether it is alive.
    pub probe_interval: Duration,
    /// The first delay before dialing again; doubles with each failure.
    pub redial_first: Duration,
    /// The longest delay before dialing again.
    pub redial_most: Duration,
    /// What one validator may send.
    pub quota: Quota,
    /// The most unread bytes of one chain's inbox; a quarter of it for one member.
    pub inbox_bytes: usize,
    /// The most chains open at once.
    pub max_chains: usize,
    /// The most connections in the handshake at once, a quarter of them from one address; further ones are
    /// closed on arrival.
    pub max_handshakes: usize,
}

impl Config {
    /// The defaults, for `chain` and `listen`.
    #[must_use]
    pub fn new(chain: ChainGenesis, listen: SocketAddr) -> Self {
        Self {
            chain,
            listen,
            max_message_bytes: (2 << 20) + (64 << 10),
            max_request_bytes: 64 << 10,
            max_response_bytes: 8 << 20,
            handshake_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            probe_interval: Duration::from_secs(15),
            redial_first: Duration::from_millis(250),
            redial_most: Duration::from_secs(30),
            quota: Quota::default(),
            inbox_bytes: 64 << 20,
            max_chains: 1_024,
            max_handshakes: 256,
        }
    }

    pub(crate) fn validate(&self) -> Result<(), StartError> {
        let largest = self.max_message_bytes.max(self.max_request_bytes).max(self.max_response_bytes);
        let checks = [
            (self.max_message_bytes >= 1_024, "max_message_bytes is below 1024"),
            (largest <= 64 << 20, "a message, request or response above 64 MiB"),
            (self.inbox_bytes / 4 >= self.max_message_bytes + 1_024, "inbox_bytes is below four messages"),
            (self.inbox_bytes <= 1 << 30, "inbox_bytes is above 1 GiB"),
            (
                self.quota.burst_bytes >= 2 * u64::try_from(largest).unwrap_or(u64::MAX),
                "quota.burst_bytes is below two of the largest messages",
            ),
            (self.quota.bytes_per_second > 0, "quota.bytes_per_second is zero"),
            (self.quota.messages_per_second > 0, "quota.messages_per_second is zero"),
            (self.quota.burst_messages >= 100, "quota.burst_messages is below 100"),
            (!self.handshake_timeout.is_zero(), "handshake_timeout is zero"),
            (!self.request_timeout.is_zero(), "request_timeout is zero"),
            (!self.probe_interval.is_zero(), "probe_interval is zero"),
            (!self.redial_first.is_zero(), "redial_first is zero"),
            (self.redial_first <= self.redial_most, "redial_first is above redial_most"),
            (self.max_handshakes > 0, "max_handshakes is zero"),
        ];
        match checks.into_iter().find(|(holds, _)| !holds) {
            Some((_, problem)) => Err(StartError::Config(problem)),
            None => Ok(()),
        }
    }
}
