//! Submits a network's signed slash reports until the base chain says that their sets are retired.

use std::collections::BTreeMap;

use coordinator_base_chain::{BaseChain, Transaction};
use coordinator_core::outbox;
use coordinator_store::Store;
use processor_messages::{Network, ValidatorSet};

use super::Submitter;
use crate::{
    node::Node,
    task::{Progress, Task, TaskError},
};

/// Sets looked at in one call, of all networks together.
const MAX_SETS: usize = 1_024;

/// The task of one network.
pub struct PublishSlashReports<S, C> {
    node: Node<S>,
    chain: C,
    network: Network,
    submitters: BTreeMap<ValidatorSet, Submitter>,
}

impl<S: Store, C: BaseChain> PublishSlashReports<S, C> {
    /// Submits those of `network` to `chain`.
    pub fn new(node: Node<S>, chain: C, network: Network) -> Self {
        Self { node, chain, network, submitters: BTreeMap::new() }
    }
}

impl<S: Store, C: BaseChain> Task for PublishSlashReports<S, C> {
    fn name(&self) -> String {
        format!("base_chain/publish_slash_report/{}", self.network)
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        let mut waiting = self.node.store.read(|db| outbox::slash_reports(db, MAX_SETS))?;
        waiting.retain(|report| report.set.network == self.network);
        self.submitters.retain(|set, _| waiting.iter().any(|report| report.set == *set));
        for report in waiting {
            let submitter = self.submitters.entry(report.set).or_default();
            submitter.submit(&self.chain, &Transaction::ReportSlashes(report), "slash report").await?;
        }
        Ok(Progress::Idle)
    }
}
