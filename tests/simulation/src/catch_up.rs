//! A coordinator which was away for many blocks, and comes back.
//!
//! ```text
//! keys are set ──▶ one coordinator stops ──▶ so many blocks of both chains ──▶ it starts ──▶ it has handled them all
//! ```
//!
//! Measured is the work of the real rules over a store in memory; no link is slower than the others', nothing is lost.

use coordinator_core::session::{self, SetSpec};
use coordinator_store::{Store, StoreError};
use processor_messages::{BaseBlock, BatchId, TributaryBlock};
use tributary::latest_decided;

use crate::{
    faults::Faults,
    run::{Options, RECOVERY_BLOCKS},
    setting::{Setting, Shape},
    time::{MS, SECOND, Time},
    world::{Place, World},
};

/// The validator who is away.
pub const AWAY: usize = 3;

/// How fast the others went on over some virtual time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// Blocks of the base chain.
    pub base: u64,
    /// Blocks of the tributary.
    pub tributary: u64,
    /// In so many milliseconds.
    pub ms: u64,
}

impl Pace {
    /// Whether there were at least half as many blocks of each chain in a second as `before`.
    pub fn is_half_of(&self, before: &Self) -> bool {
        let half = |blocks: u64, then: u64| {
            u128::from(blocks) * u128::from(before.ms) * 2 >= u128::from(then) * u128::from(self.ms)
        };
        half(self.base, before.base) && half(self.tributary, before.tributary)
    }
}

/// One coordinator, away from a network which goes on.
pub struct CatchUp {
    /// The network.
    pub world: World,
    /// The set whose tributary is caught up with.
    pub spec: SetSpec,
    /// Blocks of the base chain which it missed.
    pub base_blocks: u64,
    /// Blocks of the tributary which it missed.
    pub tributary_blocks: u64,
    /// How many batches were executed when it left.
    pub executed: u32,
    /// How fast the others were while it was away.
    pub before: Pace,
    target: (BaseBlock, TributaryBlock),
}

impl CatchUp {
    /// A network in which a coordinator missed so many blocks of each chain.
    ///
    /// # Errors
    /// What the oracle saw, or that the network does not get there.
    pub fn away_for(options: &Options, blocks: u64) -> Result<Self, String> {
        let shape = Shape::lasting(&[1, 1, 1, 1], 1);
        let setting = Setting::of(&shape, options.key_generation);
        let mut world = World::new(setting, Faults::none(shape.weights.len()), 1);
        for _ in 0..RECOVERY_BLOCKS {
            let next = world.now() + SECOND;
            world.run(next);
            if world.executed().iter().all(|executed| *executed > 0) {
                break;
            }
        }
        let spec = world.sets_of(0).into_iter().next().ok_or("no set")?;
        let left = world.heights(0, &spec).map_err(|e| e.to_string())?;
        let executed = world.executed().first().copied().unwrap_or_default();
        world.stop(Place::Coordinator(AWAY));
        let from = world.others_at(&spec).map_err(|e| e.to_string())?;
        let mut target = left;
        for _ in 0..blocks.saturating_mul(64) {
            target = world.heights(0, &spec).map_err(|e| e.to_string())?;
            if target.0.0 >= left.0.0 + blocks && target.1.0 >= left.1.0 + blocks {
                break;
            }
            let next = world.now() + SECOND;
            world.run(next);
            if let Some(what) = world.oracle.violations.first() {
                return Err(what.clone());
            }
        }
        let (base_blocks, tributary_blocks) = (target.0.0 - left.0.0, target.1.0 - left.1.0);
        let before = world.pace_since(from, &spec).map_err(|e| e.to_string())?;
        Ok(Self { world, spec, base_blocks, tributary_blocks, executed, before, target })
    }

    /// The batches, executed while it was away, for which it made signing data nevertheless. What was under way when it
    /// left stands in its store, and is said.
    pub fn stale(&self) -> Vec<BatchId> {
        let said = self.world.oracle.stale(self.world.setting.validator(AWAY));
        said.iter().copied().filter(|id| id.0 > self.executed.saturating_add(1)).collect()
    }

    /// Lets it come back, and runs until it has handled what it missed. Returns how fast the others were meanwhile.
    ///
    /// # Errors
    /// What the oracle saw, or that it does not catch up within `most` seconds of virtual time.
    pub fn come_back(&mut self, most: u64) -> Result<Pace, String> {
        let from = self.world.others_at(&self.spec).map_err(|e| e.to_string())?;
        self.world.resume(Place::Coordinator(AWAY));
        for _ in 0..most {
            let next = self.world.now() + SECOND;
            self.world.run(next);
            if let Some(what) = self.world.oracle.violations.first() {
                return Err(what.clone());
            }
            let (base, tributary) = self.world.heights(AWAY, &self.spec).map_err(|e| e.to_string())?;
            if base >= self.target.0 && tributary >= self.target.1 {
                return self.world.pace_since(from, &self.spec).map_err(|e| e.to_string());
            }
        }
        Err(format!("not there after {most} s: {:?}", self.world.heights(AWAY, &self.spec)))
    }
}

/// When, and how far the others were then.
type Since = (Time, BaseBlock, TributaryBlock);

impl World {
    fn others_at(&self, spec: &SetSpec) -> Result<Since, StoreError> {
        Ok((self.now(), self.finalized(), self.decided_by(0, spec)?))
    }

    fn pace_since(&self, (from, base, tributary): Since, spec: &SetSpec) -> Result<Pace, StoreError> {
        let now = self.others_at(spec)?;
        Ok(Pace {
            base: now.1.0.saturating_sub(base.0),
            tributary: now.2.0.saturating_sub(tributary.0),
            ms: now.0.saturating_sub(from) / MS,
        })
    }

    /// A process ends, and nobody starts it.
    pub fn stop(&mut self, place: Place) {
        self.end(place);
    }

    /// A process which was stopped starts.
    pub fn resume(&mut self, place: Place) {
        self.begin_again(place);
    }

    /// The live sets which a coordinator is in.
    pub fn sets_of(&self, coordinator: usize) -> Vec<SetSpec> {
        self.coordinator(coordinator).and_then(|node| node.sets().ok()).unwrap_or_default()
    }

    /// How far a coordinator has handled the base chain, and applied a tributary.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn heights(&self, of: usize, spec: &SetSpec) -> Result<(BaseBlock, TributaryBlock), StoreError> {
        let Some(node) = self.coordinator(of) else { return Ok((BaseBlock(0), TributaryBlock(0))) };
        let next = node.next_base_block()?;
        let through = node.disk.store.read(|db| session::applied_through(db, spec.genesis))?;
        Ok((BaseBlock(next.0.saturating_sub(1)), through))
    }

    /// The latest block of a tributary which a coordinator's node has decided.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn decided_by(&self, of: usize, spec: &SetSpec) -> Result<TributaryBlock, StoreError> {
        let Some(node) = self.coordinator(of) else { return Ok(TributaryBlock(0)) };
        node.disk.store.read(|db| latest_decided(db, spec.genesis))
    }
}
