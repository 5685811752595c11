//! Faults in the local world: each put in force, confirmed, and later healed and confirmed again.
//!
//! A kill is confirmed by the process's end, its heal by an answer; a pause by the kernel's word;
//! a cut by datagrams that do not arrive. What cannot be tried is skipped with the reason,
//! what cannot be confirmed is indeterminate: a fault of the harness is never one of the target.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use slotquake_checkers::observation::{
    Damage, DiskTrouble, Fault, FaultPhase, LifecycleKind, Ports,
};

use super::LocalWorld;
use super::desk::Job;
use crate::sandbox::Sandbox;
use crate::sandbox::cuts::{Cuts, Path};
use crate::sandbox::probe::probe;
use crate::world::{FaultSpec, Happening, NOT_INJECTED};

/// The partitions in force.
#[derive(Debug)]
pub(super) struct Partitions {
    cuts: Result<Cuts, String>,
    /// What each fault cuts, by its number; they may overlap.
    active: BTreeMap<u32, BTreeSet<Path>>,
}

impl Partitions {
    pub(super) fn open(sandbox: &Sandbox) -> Partitions {
        Partitions {
            cuts: Cuts::open(sandbox).map_err(|error| error.to_string()),
            active: BTreeMap::new(),
        }
    }

    /// Why there are none, if so.
    pub(super) fn refused(&self) -> Option<&str> {
        self.cuts.as_ref().err().map(String::as_str)
    }

    /// Cuts a fault's paths, and looks.
    fn install(&mut self, fault: u32, paths: BTreeSet<Path>) -> FaultPhase {
        if let Some(why) = self.refused() {
            return FaultPhase::Skipped(why.to_owned());
        }
        self.active.insert(fault, paths.clone());
        if let Err(why) = self.apply() {
            self.active.remove(&fault);
            return FaultPhase::Skipped(why);
        }
        match probe(&paths) {
            Ok(seen) if seen.open.is_empty() => FaultPhase::Installed,
            Ok(seen) => FaultPhase::Indeterminate(format!("packets still pass: {:?}", seen.open)),
            Err(error) => FaultPhase::Indeterminate(format!("cannot probe the cut: {error}")),
        }
    }

    /// Ends a fault's cuts, except those another fault needs, and looks.
    fn heal(&mut self, fault: u32) -> FaultPhase {
        let Some(paths) = self.active.remove(&fault) else {
            return FaultPhase::Healed;
        };
        if let Err(why) = self.apply() {
            return FaultPhase::Indeterminate(why);
        }
        let wanted = self.wanted();
        let is_free = |path: &Path| !wanted.iter().any(|cut| cut.covers(path));
        let freed: BTreeSet<Path> = paths.into_iter().filter(is_free).collect();
        match probe(&freed) {
            Ok(seen) if seen.cut.is_empty() => FaultPhase::Healed,
            Ok(seen) => FaultPhase::Indeterminate(format!("still cut: {:?}", seen.cut)),
            Err(error) => FaultPhase::Indeterminate(format!("cannot probe the heal: {error}")),
        }
    }

    /// Ends all cuts.
    pub(super) fn heal_all(&mut self) {
        self.active.clear();
        if let Err(why) = self.apply() {
            tracing::warn!("cuts remain at the end of the run: {why}");
        }
    }

    fn wanted(&self) -> BTreeSet<Path> {
        self.active.values().flatten().copied().collect()
    }

    fn apply(&mut self) -> Result<(), String> {
        let wanted = self.wanted();
        match &mut self.cuts {
            Ok(cuts) => cuts.set(&wanted).map_err(|error| error.to_string()),
            Err(_) => Ok(()),
        }
    }
}

impl LocalWorld {
    /// Puts a fault in force.
    pub(super) fn inject(&mut self, spec: FaultSpec) {
        let begun = self.clock();
        let targets = match self.positions(&spec) {
            Ok(targets) => targets,
            Err(why) => return self.report(&spec, begun, FaultPhase::Skipped(why)),
        };
        let phase = match spec.kind.damage() {
            Some(Damage::Kill) => self.kill(&targets),
            Some(Damage::Pause) => self.pause(&targets),
            Some(Damage::Cut(ports)) => match self.paths(&spec, ports) {
                Ok(paths) => self.partitions.install(spec.id, paths),
                Err(why) => FaultPhase::Skipped(why),
            },
            Some(Damage::Disk(DiskTrouble::Full)) => self.fill_disks(&targets),
            Some(Damage::Net(_) | Damage::Clock(_) | Damage::Disk(DiskTrouble::Slow)) => {
                FaultPhase::Skipped("only the simulation can do it: --world sim".to_owned())
            }
            None => FaultPhase::Skipped(NOT_INJECTED.to_owned()),
        };
        self.report(&spec, begun, phase);
    }

    /// Ends a fault.
    pub(super) fn heal(&mut self, spec: FaultSpec) {
        let begun = self.clock();
        let targets = match self.positions(&spec) {
            Ok(targets) => targets,
            Err(why) => return self.report(&spec, begun, FaultPhase::Skipped(why)),
        };
        let phase = match spec.kind.damage() {
            Some(Damage::Kill | Damage::Disk(DiskTrouble::Full)) => match self.restart(&targets) {
                Ok(()) => {
                    let fault = step(&spec, begun, begun, FaultPhase::Healed);
                    self.desk.take(Job::AwaitUp {
                        nodes: targets,
                        fault,
                    });
                    return;
                }
                Err(why) => FaultPhase::Indeterminate(why),
            },
            Some(Damage::Pause) => self.resume(&targets),
            Some(Damage::Cut(_)) => self.partitions.heal(spec.id),
            Some(Damage::Net(_) | Damage::Clock(_) | Damage::Disk(DiskTrouble::Slow)) | None => {
                FaultPhase::Healed
            }
        };
        self.report(&spec, begun, phase);
    }

    fn report(&mut self, spec: &FaultSpec, begun: u64, phase: FaultPhase) {
        let fault = step(spec, begun, self.clock(), phase);
        self.queue.push_back(Happening::Fault(fault));
    }

    fn positions(&self, spec: &FaultSpec) -> Result<Vec<usize>, String> {
        let find = |name| {
            self.position(name)
                .ok_or_else(|| format!("there is no node {name}"))
        };
        spec.targets.iter().map(find).collect()
    }

    fn paths(&self, spec: &FaultSpec, ports: Ports) -> Result<BTreeSet<Path>, String> {
        let node = |name| {
            let position = self.position(name);
            let found = position.map(|node| &self.nodes[node]);
            found.ok_or_else(|| format!("there is no node {name}"))
        };
        let mut paths = BTreeSet::new();
        for (from, to) in &spec.cuts {
            let (from, to) = (node(from)?, node(to)?);
            // A connection has the port of the service at one end, whoever opened it.
            let services = match ports {
                Ports::All => vec![None],
                Ports::Bus => vec![Some(from.bus_port), Some(to.bus_port)],
                Ports::Data => vec![Some(from.address.port()), Some(to.address.port())],
            };
            paths.extend(services.into_iter().map(|port| Path {
                source: *from.address.ip(),
                target: *to.address.ip(),
                port,
            }));
        }
        Ok(paths)
    }

    fn kill(&mut self, targets: &[usize]) -> FaultPhase {
        self.reap();
        let running: Vec<usize> = targets
            .iter()
            .copied()
            .filter(|node| self.processes[*node].is_running())
            .collect();
        if running.is_empty() {
            return FaultPhase::Skipped("it is not running".to_owned());
        }
        let mut phase = FaultPhase::Installed;
        for node in running {
            if let Err(error) = self.processes[node].kill() {
                phase = FaultPhase::Indeterminate(error.to_string());
            }
            let epochs = self.processes[node].stored_epochs();
            let killed = self.lifecycle(node, LifecycleKind::Killed, epochs);
            self.queue.push_back(killed);
        }
        phase
    }

    fn fill_disks(&mut self, targets: &[usize]) -> FaultPhase {
        let mut filled = targets.iter().map(|node| match self.disks.get_mut(*node) {
            Some(Some(disk)) => disk.fill().map_err(|error| error.to_string()),
            Some(None) | None => Err(NO_DISKS.to_owned()),
        });
        match filled.find_map(Result::err) {
            None => FaultPhase::Installed,
            Some(why) => FaultPhase::Skipped(why),
        }
    }

    /// Starts again what is down, on a disk with room.
    fn restart(&mut self, targets: &[usize]) -> Result<(), String> {
        for node in targets {
            if let Some(Some(disk)) = self.disks.get_mut(*node) {
                disk.free().map_err(|error| error.to_string())?;
            }
        }
        self.reap();
        for node in targets.iter().copied() {
            if !self.processes[node].is_running() {
                self.processes[node]
                    .start()
                    .map_err(|error| error.to_string())?;
                let started = self.lifecycle(node, LifecycleKind::Started, String::new());
                self.queue.push_back(started);
            }
        }
        Ok(())
    }

    fn pause(&mut self, targets: &[usize]) -> FaultPhase {
        self.reap();
        if targets
            .iter()
            .all(|node| !self.processes[*node].is_running())
        {
            return FaultPhase::Skipped("it is not running".to_owned());
        }
        let paused = targets
            .iter()
            .try_for_each(|node| self.processes[*node].pause(STOP_PATIENCE));
        match paused {
            Ok(()) => FaultPhase::Installed,
            Err(why) => FaultPhase::Indeterminate(why),
        }
    }

    fn resume(&mut self, targets: &[usize]) -> FaultPhase {
        self.reap();
        let standing = targets
            .iter()
            .filter(|node| self.processes[**node].is_running());
        let mut resumed = standing.map(|node| self.processes[*node].resume());
        match resumed.find_map(Result::err) {
            None => FaultPhase::Healed,
            Some(why) => FaultPhase::Indeterminate(why),
        }
    }
}

fn step(spec: &FaultSpec, begun: u64, time: u64, phase: FaultPhase) -> Fault {
    Fault {
        time,
        begun,
        id: spec.id,
        kind: spec.kind,
        phase,
        targets: spec.targets.clone(),
        cuts: spec.cuts.clone(),
        note: spec.note.clone(),
    }
}

const NO_DISKS: &str = "nodes have disks of their own only in namespaces, and only where the plan \
     names full-disk";
/// A process that sleeps in the kernel may take a moment to stop.
const STOP_PATIENCE: Duration = Duration::from_millis(1000);
