//! Applies decided blocks in order, once everything provided in them was derived here too.

use coordinator_core::{
    halt,
    session::{
        self, Applied, SetSpec,
        transaction::{Ordered, OrderedBlock, Slot},
    },
};
use coordinator_store::{Store, StoreError};
use processor_messages::TributaryBlock;
use tributary::{Block, DECIDED, Transaction, chain};

use crate::{
    node::Node,
    task::{Progress, Task, TaskError},
};

/// The task of one set.
pub struct Scan<S> {
    node: Node<S>,
    spec: SetSpec,
}

impl<S: Store> Scan<S> {
    /// Reads the tributary of this set.
    pub fn new(node: Node<S>, spec: SetSpec) -> Self {
        Self { node, spec }
    }

    /// The next block, if it is decided and can be handled.
    fn next(&self) -> Result<Option<Block>, StoreError> {
        let genesis = self.spec.genesis;
        self.node.store.read(|db| {
            let next = TributaryBlock(session::applied_through(db, genesis)?.0.saturating_add(1));
            if chain::handleable(db, genesis)? < next {
                return Ok(None);
            }
            Ok(DECIDED.get(db, &(genesis, next))?.map(|decided| decided.block))
        })
    }
}

/// A decided block as the rules read it; `None` if its body is no list of transactions.
pub fn ordered_block(block: &Block) -> Option<OrderedBlock> {
    let transactions = chain::transactions(block).ok()?;
    let ordered = |transaction| match transaction {
        Transaction::Provided { kind, payload } => {
            Some(Ordered::Provided { kind, payload: payload.into_inner() })
        }
        Transaction::Evidence(evidence) => Some(Ordered::Equivocation { validator: evidence.validator }),
        // Nothing of ours is unsigned.
        Transaction::Unsigned(_) => None,
        Transaction::Signed(signed) => Some(Ordered::Signed {
            signer: signed.signer,
            slot: Slot { order: signed.order.into_inner(), nonce: signed.nonce },
            payload: signed.payload.into_inner(),
        }),
    };
    let transactions = transactions.into_iter().filter_map(ordered).collect();
    let voters = block.former.iter().flat_map(|former| former.signers().copied()).collect();
    let tributary::Header { height: number, proposer, .. } = block.header;
    Some(OrderedBlock { number, proposer, voters, transactions })
}

impl<S: Store> Task for Scan<S> {
    fn name(&self) -> String {
        format!("session/scan/{}", self.spec.set())
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        let Some(block) = self.next()? else { return Ok(Progress::Idle) };
        let set = self.spec.set();
        let Some(ordered) = ordered_block(&block) else {
            let what = format!("decided block {} holds no transactions", block.header.height);
            self.node.halt(set, halt::Reason::Internal { what }).await?;
            return Ok(Progress::Idle);
        };
        let halted = self.node.store.read(|db| halt::of_session(db, set))?;
        if halted.is_some() {
            return Ok(Progress::Idle);
        }
        let applied = self.node.step_of(set, |step| session::apply(step, set, &ordered)).await?;
        let did = matches!(applied, Some(Applied::Done | Applied::InPart));
        Ok(if did { Progress::Done } else { Progress::Idle })
    }
}
