//! Damage in the simulation: in force at once, healed at once.

use slotquake_checkers::observation::{
    Damage, Fault, FaultPhase, LifecycleKind, NetTrouble, NodeName, Ports,
};
use slotquake_core::output::File;

use super::disk::Crash;
use super::host::{Gait, Host};
use super::net::{Payload, Service};
use super::queue::Event;
use super::{Happening, MS, SimWorld};
use crate::nemesis::Dose;
use crate::world::{FaultSpec, NOT_INJECTED, epochs_line};

impl SimWorld {
    pub(super) fn inject(&mut self, spec: FaultSpec) {
        let done = match spec.kind.damage() {
            Some(Damage::Kill) => self.each_target(&spec, SimWorld::kill),
            Some(Damage::Pause) => self.each_target(&spec, SimWorld::pause),
            Some(Damage::Cut(ports)) => self.cut(&spec, ports),
            Some(Damage::Net(NetTrouble::Slow)) => {
                self.net.slow_down();
                Ok(())
            }
            Some(Damage::Net(NetTrouble::Reset)) => self.each_target(&spec, SimWorld::disconnect),
            Some(Damage::Clock(_) | Damage::Disk(_)) => {
                self.change_places(&spec, |place, now| match spec.dose {
                    Some(Dose::StepMs(ms)) => place.clock.step(ms, now),
                    Some(Dose::DriftPpm(ppm)) => place.clock.drift(ppm, now),
                    Some(Dose::DelayMs(ms)) => place.disk.slow_down(spec.id, ms * MS),
                    None => place.disk.fill(spec.id),
                })
            }
            None => Err(NOT_INJECTED.to_string()),
        };
        let phase = match done {
            Ok(()) => FaultPhase::Installed,
            Err(why) => FaultPhase::Skipped(why),
        };
        self.record_fault(spec, phase);
    }

    pub(super) fn heal(&mut self, spec: FaultSpec) {
        let done = match spec.kind.damage() {
            Some(Damage::Kill) => self.each_target(&spec, SimWorld::restart),
            Some(Damage::Pause) => self.each_target(&spec, SimWorld::unpause),
            Some(Damage::Cut(ports)) => self.mend(&spec, ports),
            Some(Damage::Net(NetTrouble::Slow)) => {
                self.net.speed_up();
                Ok(())
            }
            Some(Damage::Net(NetTrouble::Reset)) | None => Ok(()),
            Some(Damage::Clock(_)) => self.change_places(&spec, |place, _| place.clock.set_right()),
            Some(Damage::Disk(_)) => self
                .change_places(&spec, |place, _| place.disk.recover(spec.id))
                .and_then(|()| self.each_target(&spec, SimWorld::restart)),
        };
        let phase = match done {
            Ok(()) => FaultPhase::Healed,
            Err(why) => FaultPhase::Indeterminate(why),
        };
        self.record_fault(spec, phase);
    }

    fn each_target(
        &mut self,
        spec: &FaultSpec,
        act: fn(&mut SimWorld, usize) -> Result<(), String>,
    ) -> Result<(), String> {
        let hosts: Result<Vec<usize>, String> =
            spec.targets.iter().map(|name| self.known(name)).collect();
        for host in hosts? {
            act(self, host)?;
        }
        Ok(())
    }

    /// Changes something about the host of each target.
    fn change_places(
        &mut self,
        spec: &FaultSpec,
        change: impl Fn(&mut Host, u64),
    ) -> Result<(), String> {
        for name in &spec.targets {
            let host = self.known(name)?;
            change(&mut self.hosts[host], self.now);
        }
        Ok(())
    }

    fn known(&self, name: &NodeName) -> Result<usize, String> {
        self.host_of(name).ok_or(format!("no node is named {name}"))
    }

    fn kill(&mut self, host: usize) -> Result<(), String> {
        if self.hosts[host].node.is_none() {
            return Err(format!("{} is down already", self.hosts[host].name));
        }
        let crash = match self.disk_rng.chance(50) {
            true => Crash::Machine,
            false => Crash::Process,
        };
        self.stop(host, crash);
        let disk = &mut self.hosts[host].disk;
        if let (Crash::Machine, Some(left)) = (crash, self.bugs.left_by_a_crash()) {
            disk.spoil(File::NodesConf, left);
        }
        let stored = disk.read(File::NodesConf).unwrap_or_default();
        let epochs = epochs_line(&String::from_utf8_lossy(&stored));
        self.record_lifecycle(host, LifecycleKind::Killed, epochs);
        Ok(())
    }

    fn restart(&mut self, host: usize) -> Result<(), String> {
        if self.hosts[host].node.is_some() {
            return Ok(());
        }
        self.start(host).map_err(|error| {
            let why = error.to_string();
            self.record_lifecycle(host, LifecycleKind::Started, String::new());
            self.record_lifecycle(host, LifecycleKind::Died, why.clone());
            why
        })
    }

    fn pause(&mut self, host: usize) -> Result<(), String> {
        let place = &mut self.hosts[host];
        if place.node.is_none() {
            return Err(format!("{} is down", place.name));
        }
        place.gait = Gait::Stopped;
        Ok(())
    }

    fn unpause(&mut self, host: usize) -> Result<(), String> {
        if self.hosts[host].gait == Gait::Stopped {
            self.resume(host);
        }
        Ok(())
    }

    /// Both ends of each connection hear of its end, whatever else was on its way.
    fn disconnect(&mut self, host: usize) -> Result<(), String> {
        let ends: Vec<_> = self.hosts[host].ends.values().copied().collect();
        for (conn, way) in ends {
            self.net.lose(conn);
            self.put(conn, way, Payload::Close);
            self.put(conn, way.reverse(), Payload::Close);
        }
        Ok(())
    }

    fn cut(&mut self, spec: &FaultSpec, ports: Ports) -> Result<(), String> {
        for (from, to) in &spec.cuts {
            let (from, to) = (self.known(from)?, self.known(to)?);
            for service in services(ports) {
                self.net.cut(*service, from, to);
            }
        }
        Ok(())
    }

    fn mend(&mut self, spec: &FaultSpec, ports: Ports) -> Result<(), String> {
        for (from, to) in &spec.cuts {
            let (from, to) = (self.known(from)?, self.known(to)?);
            for service in services(ports) {
                for (conn, way, at) in self.net.mend(*service, (from, to), self.now) {
                    self.queue.push(at, Event::Deliver { conn, way });
                }
            }
        }
        Ok(())
    }

    fn record_fault(&mut self, spec: FaultSpec, phase: FaultPhase) {
        self.happenings.push_back(Happening::Fault(Fault {
            time: self.now,
            begun: self.now,
            id: spec.id,
            kind: spec.kind,
            phase,
            targets: spec.targets,
            cuts: spec.cuts,
            note: spec.note,
        }));
    }
}

/// What a cut of these ports concerns.
fn services(ports: Ports) -> &'static [Service] {
    match ports {
        Ports::All => &[Service::Bus, Service::Clients],
        Ports::Bus => &[Service::Bus],
        Ports::Data => &[Service::Clients],
    }
}
