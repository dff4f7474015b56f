//! The JSON-RPC client.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use processor_messages::{Account, BaseBlock, ChainGenesis, Network, Validator, ValidatorSet, encode};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    AccountInfo, BaseChain, Block, ChainError, Head, Inclusion, NetworkInfo, SetInfo, Transaction,
    TransactionHash, TransactionStatus, ValidatorInfo,
    rpc::{self, BUSY, Request, Response, method},
    verify_inclusion,
};

/// How to reach a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientConfig {
    /// Where, such as `http://127.0.0.1:9944`. Without TLS: a node is asked over loopback or a private network.
    pub url: String,
    /// The chain that the node must be on; `None` accepts any, for tools which ask for it.
    pub chain: Option<ChainGenesis>,
    /// How long an answer may take, without the time that a block is waited for.
    pub timeout: Duration,
    /// The largest answer, in bytes.
    pub max_response_bytes: usize,
}

impl ClientConfig {
    /// The usual bounds: 10 s and [`rpc::MAX_RESPONSE_BYTES`].
    pub fn new(url: impl Into<String>, chain: Option<ChainGenesis>) -> Self {
        Self {
            url: url.into(),
            chain,
            timeout: Duration::from_secs(10),
            max_response_bytes: rpc::MAX_RESPONSE_BYTES,
        }
    }
}

/// A client of one node. Clones share connections.
#[derive(Clone, Debug)]
pub struct RpcClient {
    http: reqwest::Client,
    config: Arc<ClientConfig>,
    next_id: Arc<AtomicU64>,
}

impl RpcClient {
    /// Makes a client; nothing is sent yet.
    ///
    /// # Errors
    /// [`ChainError::Unreachable`] if the URL is none or the system gives no client.
    pub fn new(config: ClientConfig) -> Result<Self, ChainError> {
        let unreachable = |reason: String| ChainError::Unreachable { url: config.url.clone(), reason };
        reqwest::Url::parse(&config.url).map_err(|e| unreachable(e.to_string()))?;
        let http = reqwest::Client::builder()
            .connect_timeout(config.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|e| unreachable(e.to_string()))?;
        Ok(Self { http, config: Arc::new(config), next_id: Arc::default() })
    }

    /// Proof that a transaction is in a finalized block; `None` if it is not. The proof is verified.
    ///
    /// # Errors
    /// [`ChainError`]; [`ChainError::Protocol`] if the proof does not verify.
    pub async fn inclusion(&self, hash: TransactionHash) -> Result<Option<Inclusion>, ChainError> {
        let proof: Option<Inclusion> = self.call(method::INCLUSION, rpc::HashParams { hash }).await?;
        if let Some(proof) = &proof {
            self.check_chain(proof.header.chain)?;
            let Some(block) = self.block(proof.header.number).await? else {
                return Err(self.protocol("the proof names a block which is not final"));
            };
            if (proof.transaction != hash) || !verify_inclusion(block.hash(), proof) {
                return Err(self.protocol("the proof of inclusion does not verify"));
            }
        }
        Ok(proof)
    }

    fn protocol(&self, reason: impl Into<String>) -> ChainError {
        ChainError::Protocol { url: self.config.url.clone(), reason: reason.into() }
    }

    fn unreachable(&self, error: &reqwest::Error) -> ChainError {
        // The innermost cause says most, such as "connection refused".
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        ChainError::Unreachable { url: self.config.url.clone(), reason: cause.to_string() }
    }

    fn check_chain(&self, found: ChainGenesis) -> Result<(), ChainError> {
        match self.config.chain {
            Some(expected) if expected != found => {
                Err(ChainError::WrongChain { url: self.config.url.clone(), expected, found })
            }
            _ => Ok(()),
        }
    }

    fn check_block(&self, number: BaseBlock, block: Option<Block>) -> Result<Option<Block>, ChainError> {
        if let Some(block) = &block {
            self.check_chain(block.header.chain)?;
            if block.number() != number {
                return Err(self.protocol(format!("asked for block {number}, got {}", block.number())));
            }
            if !block.is_consistent() {
                return Err(self.protocol(format!("block {number} is not what its header commits to")));
            }
        }
        Ok(block)
    }

    async fn call<T: DeserializeOwned>(&self, method: &str, params: impl Serialize) -> Result<T, ChainError> {
        self.call_within(method, params, self.config.timeout).await
    }

    async fn call_within<T: DeserializeOwned>(
        &self,
        method: &str,
        params: impl Serialize,
        timeout: Duration,
    ) -> Result<T, ChainError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let params = serde_json::to_value(params).map_err(|e| self.protocol(e.to_string()))?;
        let body = serde_json::to_vec(&Request::new(id, method, params))
            .map_err(|e| self.protocol(e.to_string()))?;
        let body = self.post(body, timeout).await?;
        let response: Response = serde_json::from_slice(&body).map_err(|e| self.protocol(e.to_string()))?;
        match (response.error, response.result) {
            (Some(error), _) if error.code == BUSY => Err(ChainError::Busy { url: self.config.url.clone() }),
            (Some(error), _) => match error.refusal() {
                Some(refusal) => Err(refusal.into()),
                None => Err(self.protocol(error.to_string())),
            },
            (None, Some(_)) if response.id != id => Err(self.protocol("the answer is to another request")),
            (None, Some(result)) => serde_json::from_value(result).map_err(|e| self.protocol(e.to_string())),
            (None, None) => Err(self.protocol("neither result nor error")),
        }
    }

    /// Posts a body and reads an answer of at most the configured size.
    async fn post(&self, body: Vec<u8>, timeout: Duration) -> Result<Vec<u8>, ChainError> {
        let request = self.http.post(&self.config.url).header("content-type", "application/json");
        let mut response =
            request.timeout(timeout).body(body).send().await.map_err(|e| self.unreachable(&e))?;
        let status = response.status();
        if status == reqwest::StatusCode::SERVICE_UNAVAILABLE {
            return Err(ChainError::Busy { url: self.config.url.clone() });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(&e))? {
            if (bytes.len() + chunk.len()) > self.config.max_response_bytes {
                return Err(self.protocol(format!("more than {} bytes", self.config.max_response_bytes)));
            }
            bytes.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            return Err(self.protocol(format!("HTTP status {status}")));
        }
        Ok(bytes)
    }
}

impl BaseChain for RpcClient {
    async fn head(&self) -> Result<Head, ChainError> {
        let head: Head = self.call(method::HEAD, rpc::NoParams {}).await?;
        self.check_chain(head.chain)?;
        Ok(head)
    }

    async fn block(&self, number: BaseBlock) -> Result<Option<Block>, ChainError> {
        self.wait_block(number, Duration::ZERO).await
    }

    async fn wait_block(&self, number: BaseBlock, wait: Duration) -> Result<Option<Block>, ChainError> {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).min(rpc::MAX_WAIT_MS);
        let timeout = self.config.timeout + Duration::from_millis(wait_ms);
        let block = self.call_within(method::BLOCK, rpc::BlockParams { number, wait_ms }, timeout).await?;
        self.check_block(number, block)
    }

    async fn submit(&self, transaction: &Transaction) -> Result<TransactionHash, ChainError> {
        let hash: TransactionHash =
            self.call(method::SUBMIT, rpc::SubmitParams { transaction: encode(transaction) }).await?;
        if hash != transaction.hash() {
            return Err(self.protocol("the node computes another transaction hash"));
        }
        Ok(hash)
    }

    async fn transaction(&self, hash: TransactionHash) -> Result<TransactionStatus, ChainError> {
        self.call(method::STATUS, rpc::HashParams { hash }).await
    }

    async fn networks(&self) -> Result<Vec<NetworkInfo>, ChainError> {
        self.call(method::NETWORKS, rpc::NoParams {}).await
    }

    async fn network(&self, network: Network) -> Result<Option<NetworkInfo>, ChainError> {
        self.call(method::NETWORK, rpc::NetworkParams { network }).await
    }

    async fn set(&self, set: ValidatorSet) -> Result<Option<SetInfo>, ChainError> {
        self.call(method::SET, rpc::SetParams { network: set.network, session: set.session }).await
    }

    async fn validator(&self, validator: Validator) -> Result<Option<ValidatorInfo>, ChainError> {
        self.call(method::VALIDATOR, rpc::ValidatorParams { validator }).await
    }

    async fn validators(&self) -> Result<Vec<ValidatorInfo>, ChainError> {
        self.call(method::VALIDATORS, rpc::NoParams {}).await
    }

    async fn account(&self, account: Account) -> Result<AccountInfo, ChainError> {
        self.call(method::ACCOUNT, rpc::AccountParams { account }).await
    }
}
