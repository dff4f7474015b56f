//! Keeps the addresses at which others reach us registered on the base chain.

use std::time::Duration;

use coordinator_base_chain::{Addresses, BaseChain, Call, SignedCall, Transaction};
use coordinator_store::Store;
use processor_messages::{Account, Bytes, List};

use super::{Submitter, retry};
use crate::{
    node::Node,
    task::{Progress, Task, TaskError},
};

/// The task.
pub struct Announce<S, C> {
    node: Node<S>,
    chain: C,
    addresses: Addresses,
    submitter: Submitter,
}

impl<S: Store, C: BaseChain> Announce<S, C> {
    /// Announces `addresses`; `None` if there is none, or they are more or longer than the base chain takes.
    pub fn new(node: Node<S>, chain: C, addresses: &[String]) -> Option<Self> {
        let texts =
            addresses.iter().map(|a| Bytes::new(a.clone().into_bytes())).collect::<Result<Vec<_>, _>>();
        let addresses: Addresses = List::new(texts.ok()?).ok()?;
        (!addresses.is_empty()).then(|| Self { node, chain, addresses, submitter: Submitter::default() })
    }
}

impl<S: Store, C: BaseChain> Task for Announce<S, C> {
    fn name(&self) -> String {
        "base_chain/announce".to_owned()
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        let me = self.node.identity.validator();
        let known = self.chain.validator(me).await.map_err(|e| retry(&e))?;
        if known.is_some_and(|info| info.addresses == self.addresses) {
            return Ok(Progress::Idle);
        }
        let account = self.chain.account(Account(me.0)).await.map_err(|e| retry(&e))?;
        let call = Call::RegisterAddresses { addresses: self.addresses.clone() };
        let identity = &self.node.identity;
        let signed = SignedCall::sign(&identity.key, identity.chain, account.nonce, call);
        self.submitter.submit(&self.chain, &Transaction::Call(signed), "addresses").await?;
        Ok(Progress::Idle)
    }

    fn is_woken(&self) -> bool {
        false
    }

    fn longest_wait(&self) -> Duration {
        Duration::from_secs(15)
    }
}
