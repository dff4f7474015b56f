//! A processor's connection to its network.

use std::time::Duration;

use processor_messages::KeyBytes;
use reqwest::StatusCode;
use serde::de::DeserializeOwned;

use super::{Accepted, Ledger, MAX_LISTED, SignedPayment};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// The largest answer: [`MAX_LISTED`] payments of the largest size.
const MAX_ANSWER_BYTES: usize = MAX_LISTED * super::server::MAX_BODY_BYTES;

/// Why a request to the network failed. All but a refusal may pass by itself.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// No answer.
    #[error("the network at {url} does not answer: {source}; start it, or correct external_network.url")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What the transport said.
        source: reqwest::Error,
    },
    /// An answer which is not a network's of this kind.
    #[error("{url} answered {what}; name this network's URL in external_network.url")]
    Wrong {
        /// Who answered.
        url: String,
        /// What is wrong.
        what: String,
    },
}

/// A client of one network.
#[derive(Clone, Debug)]
pub struct LedgerClient {
    http: reqwest::Client,
    url: String,
    ledger: Ledger,
}

impl LedgerClient {
    /// Of the network served at `url` (`http://host:port`).
    ///
    /// # Errors
    /// [`LedgerError::Unreachable`] if the system gives no HTTP client.
    pub fn new(url: &str, ledger: Ledger) -> Result<Self, LedgerError> {
        let url = url.trim_end_matches('/').to_owned();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .no_proxy()
            .build()
            .map_err(|source| LedgerError::Unreachable { url: url.clone(), source })?;
        Ok(Self { http, url, ledger })
    }

    /// Hands a payment over; returns once it is on the network's disk.
    ///
    /// # Errors
    /// [`LedgerError`]; after one the payment may or may not be taken, and is to be handed over again.
    pub async fn submit(&self, payment: &SignedPayment) -> Result<Accepted, LedgerError> {
        let body = serde_json::to_vec(payment).expect("plain data");
        let request = self.http.post(format!("{}/payments", self.url));
        let accepted: Accepted =
            self.answer(request.header("content-type", "application/json").body(body)).await?;
        if accepted.id != payment.payment.id(&self.ledger) {
            return Err(self.wrong("with another payment's id"));
        }
        Ok(accepted)
    }

    /// What an account paid from a place on, in order, each signed by it.
    ///
    /// # Errors
    /// [`LedgerError`], also for a payment which the account did not sign.
    pub async fn of_account(&self, account: &KeyBytes, from: u64) -> Result<Vec<SignedPayment>, LedgerError> {
        let url = format!("{}/accounts/{}/payments?from={from}", self.url, hex::encode(&**account));
        let payments: Vec<SignedPayment> = self.answer(self.http.get(url)).await?;
        let (account, ledger) = (account.clone(), self.ledger);
        // A batch of signatures takes some milliseconds.
        let checked = tokio::task::spawn_blocking(move || {
            let theirs = payments.iter().all(|p| (p.from == account) && p.verify(&ledger));
            theirs.then_some(payments)
        });
        let checked = checked.await.ok().flatten();
        checked.ok_or_else(|| self.wrong("with a payment which the account did not sign for this network"))
    }

    fn wrong(&self, what: impl Into<String>) -> LedgerError {
        LedgerError::Wrong { url: self.url.clone(), what: what.into() }
    }

    async fn answer<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, LedgerError> {
        let unreachable = |source| LedgerError::Unreachable { url: self.url.clone(), source };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if (bytes.len() + chunk.len()) > MAX_ANSWER_BYTES {
                return Err(self.wrong(format!("more than {MAX_ANSWER_BYTES} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        if status != StatusCode::OK {
            let text: String = String::from_utf8_lossy(&bytes).chars().take(200).collect();
            return Err(self.wrong(format!("{status}: {text}")));
        }
        serde_json::from_slice(&bytes).map_err(|error| self.wrong(format!("what does not decode: {error}")))
    }
}
