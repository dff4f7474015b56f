//! Prometheus metrics: counters count decisions, and everything else is read off the status at each scrape.
//!
//! What is read off goes into a recorder of that scrape alone: of a set, network or task which is no more no series is
//! left.

use std::{collections::BTreeMap, sync::Arc};

use coordinator_core::{cosign::status::CosignStatus, notice::Event, session::status::Stage};
use metrics::{counter, gauge, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use tokio::time::Instant;

use super::status::{NetworkStatus, SetStatus, Status};
use crate::task::TaskHealth;

/// A recorder of this service alone, so that several services in one process do not mix.
#[derive(Clone)]
pub struct Metrics(Arc<PrometheusRecorder>);

impl Default for Metrics {
    fn default() -> Self {
        Self(Arc::new(PrometheusBuilder::new().build_recorder()))
    }
}

impl Metrics {
    /// Counts a decision.
    pub fn count(&self, event: &Event) {
        with_local_recorder(&*self.0, || match event {
            Event::AttemptStarted { topic, .. } => {
                counter!("coord_sign_attempt_total", "kind" => kind(topic)).increment(1);
            }
            Event::Slashed { cause, .. } => {
                counter!("coord_slash_total", "cause" => format!("{cause:?}")).increment(1);
            }
            Event::Halted { reason } => {
                counter!("coord_halt_total", "reason" => reason.code()).increment(1);
            }
            Event::MessageDropped { .. } => counter!("coord_queue_dropped_total").increment(1),
            _ => {}
        });
    }

    /// Renders what was counted, and everything that the status says.
    pub fn render(&self, status: &Status, tasks: &BTreeMap<String, TaskHealth>) -> String {
        let scrape = PrometheusBuilder::new().build_recorder();
        with_local_recorder(&scrape, || {
            process_gauges(status);
            cosign_gauges(&status.cosign);
            status.sets.iter().for_each(set_gauges);
            status.networks.iter().for_each(network_gauges);
            for (reason, count) in &status.peers_refused {
                counter!("coord_p2p_rejected_total", "reason" => *reason).absolute(*count);
            }
            for (task, health) in tasks {
                task_gauges(task, health);
            }
        });
        self.0.handle().render() + &scrape.handle().render()
    }
}

fn process_gauges(status: &Status) {
    gauge!("coord_build_info", "version" => status.version).set(1.0);
    gauge!("coord_ready").set(f64::from(u8::from(status.ready)));
    let (chain, scanned) = (&status.base_chain, status.base_chain.next_block.0.saturating_sub(1));
    gauge!("coord_chain_head").set(whole(chain.head.0));
    gauge!("coord_chain_scanned").set(whole(scanned));
    gauge!("coord_chain_lag_blocks").set(whole(chain.head.0.saturating_sub(scanned)));
    gauge!("coord_chain_held_seconds").set(whole(chain.held_secs.unwrap_or(0)));
}

fn task_gauges(task: &str, health: &TaskHealth) {
    let now = Instant::now();
    let idle = now.saturating_duration_since(health.last_progress);
    gauge!("coord_task_last_progress_seconds", "task" => task.to_owned()).set(idle.as_secs_f64());
    counter!("coord_task_calls_total", "task" => task.to_owned()).absolute(health.calls);
    counter!("coord_task_restarts_total", "task" => task.to_owned()).absolute(health.panics);
    let well = health.problem(now).is_none();
    gauge!("coord_health_check", "name" => task.to_owned()).set(f64::from(u8::from(well)));
}

fn cosign_gauges(cosign: &CosignStatus) {
    gauge!("coord_cosign_halted").set(f64::from(u8::from(cosign.halted.is_some())));
    gauge!("coord_cosign_intended").set(whole(cosign.intended.unwrap_or_default().0));
    gauge!("coord_cosign_cosigned").set(whole(cosign.cosigned.unwrap_or_default().0));
    for network in &cosign.networks {
        let name = || network.network.to_string();
        gauge!("coord_cosign_latest", "network" => name()).set(whole(network.latest.unwrap_or_default().0));
        gauge!("coord_cosign_lag_blocks", "network" => name()).set(whole(network.lag_blocks));
        gauge!("coord_cosign_stake", "network" => name()).set(whole(network.stake));
    }
    gauge!("coord_cosign_conflicts").set(whole(cosign.conflicts.len() as u64));
}

fn set_gauges(set: &SetStatus) {
    let session = &set.session;
    let name = || session.set.clone();
    gauge!("coord_dkg_state", "set" => name()).set(f64::from(stage_number(session.stage)));
    gauge!("coord_dkg_received_weight", "set" => name()).set(f64::from(session.received_weight));
    gauge!("coord_dkg_needed_weight", "set" => name()).set(f64::from(session.needed_weight));
    let met = session.received_weight >= session.needed_weight;
    gauge!("coord_dkg_threshold_met", "set" => name()).set(f64::from(u8::from(met)));
    gauge!("coord_sign_pending", "set" => name()).set(whole(session.topics.len() as u64));
    gauge!("coord_p2p_connected", "set" => name()).set(whole(set.connected as u64));
    gauge!("coord_p2p_expected", "set" => name()).set(whole(set.expected as u64));
    for slashed in &session.slashed {
        let validator = slashed.validator.to_string();
        gauge!("coord_slash_points", "set" => name(), "validator" => validator)
            .set(f64::from(slashed.points));
    }
    if let Some(seconds) = session.slash_report.deadline_secs {
        gauge!("coord_slash_report_deadline_seconds", "set" => name()).set(whole(seconds));
    }
    if let Some(tributary) = &set.tributary {
        gauge!("coord_tributary_height", "set" => name()).set(whole(tributary.decided.0));
        gauge!("coord_tributary_round", "set" => name()).set(f64::from(tributary.round.unwrap_or(0)));
    }
}

fn network_gauges(network: &NetworkStatus) {
    let name = || network.network.to_string();
    gauge!("coord_queue_depth", "network" => name(), "dir" => "to_processor")
        .set(whole(network.to_processor));
    gauge!("coord_queue_depth", "network" => name(), "dir" => "from_processor")
        .set(whole(network.from_processor));
    gauge!("coord_batch_next_expected", "network" => name()).set(f64::from(network.next_expected.0));
    gauge!("coord_batch_next_executed", "network" => name()).set(f64::from(network.next_executed.0));
    gauge!("coord_handover_blocked_batches", "network" => name())
        .set(whole(network.blocked_batches.len() as u64));
    gauge!("coord_batch_signed_unpublished", "network" => name())
        .set(whole(network.signed_unpublished as u64));
}

/// The position of a stage in its documentation; halted is the greatest.
fn stage_number(stage: Stage) -> u8 {
    match stage {
        Stage::Participations => 0,
        Stage::Generating => 1,
        Stage::ConfirmationNonces => 2,
        Stage::ConfirmationShares => 3,
        Stage::Publishing => 4,
        Stage::KeysSet => 5,
        Stage::Failed => 6,
        Stage::Dropped => 7,
        Stage::Retired => 8,
        Stage::Halted => 9,
    }
}

fn kind(topic: &coordinator_core::session::topic::Topic) -> &'static str {
    use coordinator_core::session::topic::Topic;
    use processor_messages::sign::SigningId;
    match topic {
        Topic::Confirmation => "confirmation",
        Topic::Signing(SigningId::Cosign(_)) => "cosign",
        Topic::Signing(SigningId::Batch(_)) => "batch",
        Topic::Signing(SigningId::SlashReport) => "slash_report",
        Topic::Signing(SigningId::Transaction(_)) => "transaction",
    }
}

/// Exact up to 2^53, as Prometheus' numbers are.
#[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn whole(number: u64) -> f64 {
    number as f64
}
