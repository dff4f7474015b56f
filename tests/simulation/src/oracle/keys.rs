//! The group key of a set, computed again: from what was dealt, or from the participations which the tributary ordered.

use std::{collections::BTreeMap, sync::Arc};

use coordinator_base_chain::SetDeclaration;
use coordinator_core::session::SetSpec;
use processor_messages::{
    KeyPair, TributaryBlock, Validator, ValidatorSet,
    key_gen::{Member, ParticipationBytes},
};
use simulated_processor::{
    dkg::{Context, Evrf, KeyGeneration as _, dealt},
    rules::closing::{Collection, First, Rules, collection},
};

use crate::setting::{KeyGeneration, Setting};

/// A set's key generation as everybody can see it.
struct Generation {
    context: Context,
    rules: Rules,
    real: bool,
    /// The first of each member, by place in set order.
    participations: BTreeMap<u16, (TributaryBlock, ParticipationBytes)>,
}

/// All sets' key generations.
#[derive(Default)]
pub(super) struct Keys {
    sets: BTreeMap<ValidatorSet, Generation>,
    evrf: Arc<Evrf>,
}

impl Keys {
    /// A set is declared.
    pub(super) fn declared(&mut self, setting: &Setting, spec: &SetSpec, declaration: SetDeclaration) {
        let members: Vec<Member> = spec.dkg_members();
        let rules = Rules {
            weights: members.iter().map(|member| member.shares.0).collect(),
            threshold: declaration.threshold.0,
            grace: declaration.tributary.grace_blocks,
        };
        let context = Context {
            chain: setting.chain,
            network: declaration.set.network,
            curve: declaration.curve,
            session: declaration.set.session,
            threshold: declaration.threshold.0,
            members,
        };
        let generation = Generation {
            context,
            rules,
            real: setting.key_generation == KeyGeneration::Real,
            participations: BTreeMap::new(),
        };
        self.sets.insert(declaration.set, generation);
    }

    /// A tributary ordered a participation.
    pub(super) fn participated(
        &mut self,
        spec: &SetSpec,
        block: TributaryBlock,
        by: Validator,
        bytes: &ParticipationBytes,
    ) {
        let Some(generation) = self.sets.get_mut(&spec.set()) else { return };
        if let Some(member) = spec.index_of(by) {
            generation.participations.entry(member).or_insert_with(|| (block, bytes.clone()));
        }
    }

    /// The key pair which a set must have.
    pub(super) fn expected(&self, set: ValidatorSet) -> Result<KeyPair, String> {
        let generation = self.sets.get(&set).ok_or("the set was not declared")?;
        if generation.real {
            return generation.recompute(&self.evrf);
        }
        dealt::key_pair(&generation.context).ok_or_else(|| "nothing was dealt".to_owned())
    }
}

impl Generation {
    fn recompute(&self, evrf: &Evrf) -> Result<KeyPair, String> {
        let all: Vec<_> =
            self.participations.iter().map(|(member, (_, bytes))| (*member, bytes.clone())).collect();
        let verdicts = evrf.verify(&self.context, &all).map_err(|e| e.to_string())?;
        let firsts: Vec<_> = self
            .participations
            .iter()
            .zip(verdicts)
            .map(|((member, (block, _)), valid)| First { block: *block, member: *member, valid: Some(valid) })
            .collect();
        // Keys are on the base chain, so the collection closed: later blocks change nothing.
        let through = TributaryBlock(u64::MAX);
        match collection(&self.rules, &firsts, through) {
            Collection::Closed { dealers, .. } => {
                let dealers: Vec<_> =
                    all.into_iter().filter(|(member, _)| dealers.contains(member)).collect();
                evrf.key_pair(&self.context, &dealers).map_err(|e| e.to_string())
            }
            other => Err(format!("the participations do not close: {other:?}")),
        }
    }
}
