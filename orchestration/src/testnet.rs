//! `testnet up`: starts, observes, shows and stops.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use coordinator_startup::{Failure, Shutdown, run_to_signal};
use processor_messages::Network;

use crate::{
    cli::{Until, UpArgs},
    generate::{Manifest, load_or_generate},
    layout::{Layout, Service},
    observe::{Handover, NetworkProgress, Observer},
    plan::Plan,
    process::{Process, Program, stop_all},
    summary::{HandoverSummary, NetworkSummary, Stage, Summary},
};

/// Between two looks at the testnet.
const LOOK_INTERVAL: Duration = Duration::from_millis(300);

/// A testnet whose processes run as children of this one. Dropping it stops them.
pub struct Testnet {
    /// What it is.
    pub manifest: Manifest,
    /// Where it lives.
    pub layout: Layout,
    executable: PathBuf,
    processes: Vec<Process>,
    started: Instant,
}

impl Testnet {
    /// Makes or resumes the directory of a plan; starts nothing.
    ///
    /// # Errors
    /// If the directory cannot be made or holds something else.
    pub fn prepare(plan: &Plan, executable: PathBuf) -> anyhow::Result<Self> {
        let manifest = load_or_generate(plan)?;
        let dir = plan.dir.canonicalize().with_context(|| plan.dir.display().to_string())?;
        Ok(Self {
            manifest,
            layout: Layout::new(dir),
            executable,
            processes: Vec::new(),
            started: Instant::now(),
        })
    }

    /// Starts the networks, and every service that is not in `except`.
    ///
    /// # Errors
    /// If a process cannot be started.
    pub fn start_all(&mut self, except: &[(usize, Service)]) -> anyhow::Result<()> {
        self.started = Instant::now();
        for network in self.manifest.networks.clone() {
            self.start_network(network)?;
        }
        for (validator, service) in self.manifest.services() {
            if !except.contains(&(validator, service)) {
                self.start(validator, service)?;
            }
        }
        Ok(())
    }

    /// What runs a service.
    pub fn program(&self, validator: usize, service: Service) -> Program {
        Program {
            name: Layout::name(validator, service),
            role: service.role(),
            config: self.layout.config(validator, service),
            log: self.layout.log(validator, service),
        }
    }

    /// Starts one service.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn start(&mut self, validator: usize, service: Service) -> anyhow::Result<()> {
        let program = self.program(validator, service);
        let name = program.name.clone();
        self.processes.push(Process::start(&self.executable, program).with_context(|| name)?);
        Ok(())
    }

    /// The commands which lift a halt of a validator's coordinator; `options` name what is halted. Their order: stop
    /// it, lift the halt, start it again.
    pub fn resume_commands(&self, validator: usize, options: &[String]) -> Vec<String> {
        let program = self.program(validator, Service::Coordinator);
        let running = self.processes.iter().find(|process| process.program.name == program.name);
        let stop = running.map(|process| format!("kill {}", process.id()));
        let lift = Program { role: "resume", ..program.clone() }.command_line(&self.executable);
        let lift = format!("{lift} {}", options.join(" "));
        stop.into_iter().chain([lift, program.command_line(&self.executable)]).collect()
    }

    /// What runs a simulated network.
    pub fn network_program(&self, network: Network) -> Program {
        let folder = self.layout.network(network);
        Program {
            name: Layout::network_name(network),
            role: "network",
            config: folder.join("config.toml"),
            log: folder.join("log"),
        }
    }

    /// Starts a simulated network.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn start_network(&mut self, network: Network) -> anyhow::Result<()> {
        let program = self.network_program(network);
        let name = program.name.clone();
        self.processes.push(Process::start(&self.executable, program).with_context(|| name)?);
        Ok(())
    }

    /// Kills a simulated network with SIGKILL; nothing happens if it does not run.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn kill_network(&mut self, network: Network) -> anyhow::Result<()> {
        self.kill_named(&Layout::network_name(network))
    }

    /// Kills one service with SIGKILL; nothing happens if it does not run.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn kill(&mut self, validator: usize, service: Service) -> anyhow::Result<()> {
        self.kill_named(&Layout::name(validator, service))
    }

    fn kill_named(&mut self, name: &str) -> anyhow::Result<()> {
        if let Some(at) = self.processes.iter().position(|process| process.program.name == name) {
            self.processes.remove(at).kill()?;
        }
        Ok(())
    }

    /// What runs: each process's role and the system's number of it.
    pub fn running(&self) -> Vec<(&'static str, u32)> {
        self.processes.iter().map(|process| (process.program.role, process.id())).collect()
    }

    /// The services which ended unasked since the last call: name, how, and what to do.
    pub fn take_ended(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let executable = &self.executable;
        self.processes.retain_mut(|process| match process.ended() {
            Ok(None) => true,
            Ok(Some(status)) => {
                lines.push(format!(
                    "{} ended ({status}); its last line: {}; start it again with: {}",
                    process.program.name,
                    process.last_line(),
                    process.program.command_line(executable)
                ));
                false
            }
            Err(error) => {
                lines.push(format!("{}: {error}", process.program.name));
                false
            }
        });
        lines
    }

    /// How long ago the first process was started.
    pub fn running_for(&self) -> Duration {
        self.started.elapsed()
    }

    /// Stops every process in order.
    pub fn stop(&mut self) {
        stop_all(&mut self.processes);
        self.processes.clear();
    }

    /// What was reached.
    pub fn summary(&self, observer: &Observer, until: Until) -> Summary {
        let networks: Vec<_> =
            observer.networks.iter().map(|(name, progress)| network_summary(*name, progress)).collect();
        let mut seconds = BTreeMap::new();
        for stage in Stage::ALL {
            let reached: Option<Vec<f64>> =
                networks.iter().map(|network| network.seconds.get(&stage).copied()).collect();
            if let Some(last) = reached.and_then(|all| all.into_iter().reduce(f64::max)) {
                seconds.insert(stage, last);
            }
        }
        Summary {
            complete: observer.has_reached(until),
            dir: self.layout.dir().to_owned(),
            validators: self.manifest.validators.iter().map(|v| v.validator).collect(),
            networks,
            seconds,
        }
    }
}

impl Drop for Testnet {
    fn drop(&mut self) {
        self.stop();
    }
}

fn network_summary(network: Network, progress: &NetworkProgress) -> NetworkSummary {
    let declaration = progress.declaration.as_ref();
    let members = declaration.map(|d| d.members.iter().map(|m| (m.validator, m.shares)).collect::<Vec<_>>());
    let members = members.unwrap_or_default();
    let signers =
        progress.keys.as_ref().and_then(|(_, signers)| signers.select(&members)).unwrap_or_default();
    NetworkSummary {
        network,
        session: progress.session(),
        n: declaration.map(coordinator_base_chain::SetDeclaration::total_shares).unwrap_or_default(),
        t: declaration.map(|d| d.threshold).unwrap_or_default(),
        signers: signers.into_iter().map(|(validator, _)| *validator).collect(),
        members,
        key_pair: progress.keys.as_ref().map(|(pair, _)| pair.clone()),
        participation_bytes: progress.participations.clone(),
        batches: progress.batches.clone(),
        handover: progress.handover.as_ref().map(|handover| handover_summary(progress, handover)),
        seconds: progress.reached.iter().map(|(stage, at)| (*stage, at.as_secs_f64())).collect(),
    }
}

fn handover_summary(progress: &NetworkProgress, handover: &Handover) -> HandoverSummary {
    let batches = |session| progress.published.get(&session).cloned().unwrap_or_default();
    HandoverSummary {
        retiring: handover.retiring.session,
        accepted_by: handover.accepted_by,
        batches_before: batches(handover.retiring.session),
        batches_after: batches(handover.accepted_by),
        slash_report: handover.report.clone(),
        retired: handover.retired,
    }
}

/// Runs `testnet up`.
pub fn up(args: &UpArgs) -> ExitCode {
    let dir = args.dir.clone().unwrap_or_else(|| {
        let name = format!("headwater-testnet-{}", std::process::id());
        std::env::temp_dir().join(name)
    });
    let plan = Plan::new(args.validators, args.networks, args.weights.clone(), args.block_time, dir)
        .and_then(|plan| plan.with_epoch(args.epoch_blocks()));
    let done =
        plan.map_err(|error| Failure::config(error.to_string(), "correct the option")).and_then(|plan| {
            run_to_signal(1, async |interrupted| {
                let outcome = run(args, &plan, interrupted).await;
                outcome
                    .map_err(|error| Failure::config(format!("{error:#}"), "act as it says and run it again"))
            })
        });
    match done {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

async fn run(args: &UpArgs, plan: &Plan, mut interrupted: Shutdown) -> anyhow::Result<ExitCode> {
    let mut testnet = Testnet::prepare(plan, std::env::current_exe()?)?;
    tell(&format!("testnet in {}", testnet.layout.dir().display()));
    let mut observer = Observer::new(&testnet.manifest)?;
    testnet.start_all(&[])?;
    let processes = testnet.manifest.services().len() + testnet.manifest.networks.len();
    tell(&format!("{processes} processes started; Ctrl-C stops them"));

    let mut all_well = true;
    let mut shown = false;
    loop {
        tokio::select! {
            () = &mut interrupted => break,
            () = look(&mut testnet, &mut observer, &mut all_well) => {}
        }
        if observer.has_reached(Until::FirstBatch) && !shown {
            shown = true;
            show(&testnet, &observer);
        }
        if (args.until != Until::Forever) && observer.has_reached(args.until) {
            break;
        }
    }
    let summary = testnet.summary(&observer, args.until);
    tell("stopping");
    testnet.stop();
    tell(&format!("stopped; run the same command with --dir {} to resume", testnet.layout.dir().display()));
    if args.json {
        print(&serde_json::to_string_pretty(&summary)?);
    }
    let reached = summary.complete || (args.until == Until::Forever);
    Ok(if reached && all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One look: what ended, what was reached; then a pause.
async fn look(testnet: &mut Testnet, observer: &mut Observer, all_well: &mut bool) {
    for line in testnet.take_ended() {
        *all_well = false;
        tell(&line);
    }
    observer.poll(testnet.running_for()).await;
    for line in observer.take_lines() {
        tell(&format!("{:>6.1} s  {line}", testnet.running_for().as_secs_f64()));
    }
    for (validator, options) in observer.take_halts() {
        tell(&format!("validator {validator} is halted; once you have seen to the cause, this lifts it:"));
        testnet.resume_commands(validator, &options).iter().for_each(|command| tell(&format!("  {command}")));
    }
    tokio::time::sleep(LOOK_INTERVAL).await;
}

/// Key pairs, batches, and where everything is.
fn show(testnet: &Testnet, observer: &Observer) {
    for network in testnet.summary(observer, Until::Forever).networks {
        let keys = network.key_pair.as_ref();
        tell(&format!("{}/{}: n = {}, t = {}", network.network, network.session, network.n, network.t));
        if let Some(pair) = keys {
            tell(&format!("  base key     {}", hex::encode(pair.base)));
            tell(&format!("  network key  {}", hex::encode(&*pair.network)));
        }
        tell(&format!("  batches executed: {:?}", network.batches.iter().map(|id| id.0).collect::<Vec<_>>()));
    }
    for (network, address) in &testnet.manifest.network_addresses {
        tell(&format!("{network}: what its sessions paid http://{address}/payments"));
    }
    for (number, entry) in testnet.manifest.validators.iter().enumerate() {
        let addresses = &entry.addresses;
        tell(&format!(
            "validator {number}: base chain http://{}, status http://{}/status, logs {}/*/log",
            addresses.rpc,
            addresses.api,
            testnet.layout.validator(number).display()
        ));
    }
    tell("to start a process that was killed: take its command from here");
    let (validator, service) = (0, Service::Coordinator);
    tell(&format!("  {}", testnet.program(validator, service).command_line(&testnet.executable)));
}

#[allow(clippy::print_stderr, reason = "progress for a person; standard output is the result's")]
fn tell(line: &str) {
    eprintln!("{line}");
}

#[allow(clippy::print_stdout, reason = "the result")]
fn print(text: &str) {
    println!("{text}");
}
