//! The only door: [`Node::step`]. It hands each input to one room and decides nothing itself.
//!
//! A turn: the input goes to its room; what that asks of other rooms is carried out, one effect at
//! a time, until nothing is left; the cluster room ends the turn. Then whatever must be on disk is
//! moved to the front of the outputs, so that no packet and no reply leaves before it (BUS-10).

use bytes::Bytes;

use crate::cluster::{Cluster, Effect, Outline, Surroundings};
use crate::commands::{self, Applied, Clients, Parts, ReplicationDoor, Role, Server, migrate};
use crate::config::Config;
use crate::config::output_limits::{ClientClass, OutputLimit};
use crate::ids::ClientId;
use crate::input::Input;
use crate::keyspace::Keyspace;
use crate::mutants::Mutant;
use crate::output::{Durability, File, LogLevel, Output, Outputs};
use crate::replication::{self, Event, LoadState, Replication};
use crate::resp::request::Trust;
use crate::rng::Rng;
use crate::time::{Millis, SteadyClock};

mod boot;
mod cluster_door;

pub use boot::{Boot, BootError};

use cluster_door::{Message, OpenDoor};

/// A Redis Cluster member.
#[derive(Debug)]
pub struct Node {
    config: Config,
    clock: SteadyClock,
    cluster: Cluster,
    keyspace: Keyspace,
    clients: Clients,
    replication: Replication,
    server: Server,
    rng: Rng,
    effects: Vec<Effect>,
    /// An empty list, kept for its memory.
    spare: Vec<Effect>,
    published: Vec<Message>,
}

impl Node {
    /// Takes in one input and appends what is to be done.
    pub fn step(&mut self, now: Millis, input: Input, out: &mut Outputs) {
        let start = out.len();
        let now = self.clock.read(now);
        if self.config.cluster_enabled {
            self.with_cluster(now, |cluster, around, effects| {
                cluster.notice_time(around, effects);
            });
        }
        self.take_in(now, input, out);
        self.settle(now, out);
        self.restart_log_if_due(now, out);
        persist_first(&mut out[start..]);
    }

    fn take_in(&mut self, now: Millis, input: Input, out: &mut Outputs) {
        match input {
            Input::Wake => self.wake(now, out),
            Input::LinkOpened { link, local_ip } => {
                self.with_cluster(now, |cluster, around, effects| {
                    cluster.on_link_opened(link, local_ip, around, effects);
                });
            }
            Input::LinkAccepted {
                link,
                peer_ip,
                local_ip,
            } => {
                self.with_cluster(now, |cluster, around, effects| {
                    cluster.on_link_accepted(link, peer_ip, local_ip, around, effects);
                });
            }
            Input::LinkPacket { link, packet } => {
                self.with_cluster(now, |cluster, around, effects| {
                    cluster.on_packet(link, &packet, around, effects);
                    cluster.recycle(packet);
                });
            }
            Input::LinkClosed { link } => {
                self.with_cluster(now, |cluster, around, effects| {
                    cluster.on_link_closed(link, around, effects);
                });
            }
            Input::LinkQueue {
                link,
                waiting_bytes,
            } => {
                self.with_cluster(now, |cluster, around, effects| {
                    cluster.on_link_queue(link, waiting_bytes, around, effects);
                });
            }
            Input::ClientOpened {
                client,
                peer,
                local,
            } => self.with_parts(now, out, |parts| {
                commands::client_opened(parts, client, peer, local);
            }),
            Input::ClientCommand { client, args } => self.run_command(now, client, args, out),
            Input::ClientClosed { client } => {
                self.with_parts(now, out, |parts| commands::client_closed(parts, client));
            }
            Input::UpstreamOpened { upstream, .. } => {
                self.replication.upstream_opened(upstream, now, out);
            }
            Input::UpstreamBytes { upstream, bytes } => {
                self.replication.upstream_bytes(upstream, &bytes, now);
            }
            Input::UpstreamClosed { upstream } => {
                self.replication.upstream_closed(upstream, now, out);
            }
            Input::Peer { peer, event } => {
                self.with_parts(now, out, |parts| migrate::happened(parts, peer, event));
            }
            Input::Terminate => self.terminate(now, out),
        }
    }

    fn run_command(&mut self, now: Millis, client: ClientId, args: Vec<Bytes>, out: &mut Outputs) {
        let is_config = |name: &Bytes| name.eq_ignore_ascii_case(b"config");
        if args.first().is_some_and(is_config) {
            // What CONFIG SET changes may be due at the next tick (CF-03).
            self.cluster.stir();
        }
        self.with_parts(now, out, |parts| {
            commands::client_command(parts, client, args);
        });
    }

    /// When it next needs an [`Input::Wake`], if nothing else comes first.
    pub fn next_wakeup(&self) -> Millis {
        let commands =
            commands::next_wakeup(&self.keyspace, &self.clients, &self.server, self.role());
        let replication = self.replication.next_wakeup(&self.config);
        let cluster = match self.config.cluster_enabled {
            true => self.cluster.next_wakeup(),
            false => Millis(u64::MAX),
        };
        self.clock.given_at(commands.min(replication).min(cluster))
    }

    /// What CLUSTER NODES and CLUSTER INFO would say; nothing where they would be an error.
    pub fn outline(&self) -> Option<Outline> {
        let is_loading = self.replication.load_state_now(&self.config) == LoadState::Loading;
        let can_say = self.config.cluster_enabled && !is_loading;
        can_say.then(|| self.cluster.outline())
    }

    /// Whether [`Node::outline`] would be this; it must be of this node, since it booted.
    pub fn shows(&self, outline: &mut Outline) -> bool {
        let is_loading = self.replication.load_state_now(&self.config) == LoadState::Loading;
        self.config.cluster_enabled && !is_loading && self.cluster.shows(outline)
    }

    /// Settings as they are now; CONFIG SET changes them.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether a client may send long requests: not before it has authenticated.
    pub fn trust(&self, client: ClientId) -> Trust {
        match self.clients.get(client) {
            Some(session) if !session.is_authenticated => Trust::Unauthenticated,
            Some(_) | None => Trust::Authenticated,
        }
    }

    /// How much may wait to be read by a client.
    pub fn output_limit(&self, client: ClientId) -> OutputLimit {
        let is_replica = self.replication.is_replica_client(client);
        let class = match self.clients.get(client) {
            _ if is_replica || self.clients.monitors.contains(&client) => ClientClass::Replica,
            Some(session) if session.is_subscriber() => ClientClass::Pubsub,
            Some(_) | None => ClientClass::Normal,
        };
        self.config.client_output_buffer_limit.of(class)
    }

    fn role(&self) -> Role {
        Role::of(&self.config, &self.cluster, &self.replication)
    }

    fn wake(&mut self, now: Millis, out: &mut Outputs) {
        if self.config.cluster_enabled && self.cluster.next_wakeup() <= now {
            self.with_cluster(now, |cluster, around, effects| {
                cluster.on_wake(around, effects)
            });
            self.settle(now, out);
        }
        self.replication.wake(&self.config, &mut self.rng, now, out);
        self.with_parts(now, out, commands::wake);
    }

    /// Carries out what the rooms ask of each other, then ends the cluster room's turn.
    fn settle(&mut self, now: Millis, out: &mut Outputs) {
        let mut has_slept = !self.config.cluster_enabled;
        loop {
            if !self.effects.is_empty() {
                let mut effects =
                    std::mem::replace(&mut self.effects, std::mem::take(&mut self.spare));
                for effect in effects.drain(..) {
                    self.carry_out(effect, now, out);
                }
                self.spare = effects;
            } else if !self.published.is_empty() {
                for Message {
                    kind,
                    channel,
                    content,
                } in std::mem::take(&mut self.published)
                {
                    self.with_cluster(now, |cluster, around, effects| {
                        cluster.publish(kind, channel, content, around, effects);
                    });
                }
            } else if let Some(event) = self.replication.next_event(&self.config, now, out) {
                self.happened(event, now, out);
            } else if !has_slept {
                has_slept = true;
                self.with_cluster(now, |cluster, around, effects| {
                    cluster.before_sleep(around, effects);
                });
                // Nothing reached the other rooms since they had nothing left to do.
                if self.effects.is_empty() {
                    return;
                }
            } else {
                return;
            }
        }
    }

    fn carry_out(&mut self, effect: Effect, now: Millis, out: &mut Outputs) {
        match effect {
            Effect::Do(output) => out.push(output),
            Effect::Follow(master) => {
                self.replication.follow(master, now, out);
                self.with_parts(now, out, commands::demoted);
            }
            Effect::ForeignData => self.replication.disown_data(),
            Effect::Lead => self.replication.lead(&mut self.rng, now, out),
            Effect::DeleteSlot(_) if self.config.mutant.is(Mutant::LostKeysStay) => {}
            Effect::DeleteSlot(slot) => {
                self.with_parts(now, out, |parts| commands::delete_slot(parts, slot));
            }
            Effect::FlushAll => {
                self.keyspace.flush();
                self.server.append_only.restart();
            }
            Effect::PauseWrites(until) => {
                self.replication.stand_still(until);
                self.with_parts(now, out, |parts| commands::pause_writes(parts, until));
            }
            Effect::ResumeWrites => {
                self.replication.go_on(out);
                self.with_parts(now, out, commands::resume_writes);
            }
            Effect::Publish {
                channel,
                message,
                kind,
            } => self.with_parts(now, out, |parts| {
                commands::deliver(parts, &channel, &message, kind);
            }),
            Effect::SlotsChanged => self.with_parts(now, out, commands::slots_changed),
        }
    }

    fn happened(&mut self, event: Event, now: Millis, out: &mut Outputs) {
        match event {
            Event::Replace(entries) => {
                if !self.config.mutant.is(Mutant::SnapshotOnTop) {
                    self.keyspace.flush();
                }
                for (key, entry) in entries {
                    self.keyspace.insert_entry(key, entry);
                }
                self.server.append_only.restart();
            }
            Event::Run(received) => {
                let replication::stream::Received { args, raw } = received;
                let args = match commands::in_our_words(args) {
                    Ok(args) => args,
                    Err(name) => {
                        let rng = &mut self.rng;
                        return self.replication.refuse_command(&name, (rng, now), out);
                    }
                };
                let how = match self.config.mutant.is(Mutant::StreamNotApplied) {
                    true => Applied::Now,
                    false => {
                        self.with_parts(now, out, |parts| commands::apply_from_master(parts, args))
                    }
                };
                self.replication.applied(raw, how, out);
            }
            Event::LinkLost => self.with_parts(now, out, commands::master_link_lost),
            Event::Close(client) => {
                self.with_parts(now, out, |parts| commands::dispatch::close(parts, client));
            }
            Event::Acknowledged => self.with_parts(now, out, commands::replicas_acknowledged),
            Event::HandedOver(verdict) => {
                self.with_parts(now, out, |parts| {
                    commands::failover::answered(parts, verdict)
                });
            }
        }
    }

    // What this step appended is in the new base, too.
    fn restart_log_if_due(&mut self, now: Millis, out: &mut Outputs) {
        if self.server.append_only.is_due(&self.config) {
            let base = crate::rdb::encode_file(&self.keyspace, now);
            self.server.append_only.began(base.len());
            out.push(Output::RestartLog { base });
        }
    }

    fn terminate(&mut self, now: Millis, out: &mut Outputs) {
        let log = |text: &str| Output::Log {
            level: LogLevel::Warning,
            text: text.into(),
        };
        out.push(log("User requested shutdown..."));
        if !self.config.save.is_empty() {
            out.push(log("Saving the final RDB snapshot before exiting."));
            let bytes = crate::rdb::encode_file(&self.keyspace, now);
            let (file, durability) = (File::Rdb, Durability::Synced);
            out.push(Output::Persist {
                file,
                content: bytes.into(),
                durability,
            });
        }
        out.push(log("Redis is now ready to exit, bye bye..."));
        out.push(Output::Exit { status: 0 });
    }

    fn with_cluster(
        &mut self,
        now: Millis,
        run: impl FnOnce(&mut Cluster, &Surroundings, &mut Vec<Effect>),
    ) {
        let around = Surroundings {
            now,
            config: &self.config,
            keyspace: &self.keyspace,
            replication: self.replication.figures(),
        };
        run(&mut self.cluster, &around, &mut self.effects);
    }

    fn with_parts<R>(
        &mut self,
        now: Millis,
        out: &mut Outputs,
        run: impl FnOnce(&mut Parts) -> R,
    ) -> R {
        let mut door = OpenDoor {
            cluster: &mut self.cluster,
            effects: &mut self.effects,
            published: &mut self.published,
        };
        run(&mut Parts {
            now,
            config: &mut self.config,
            keyspace: &mut self.keyspace,
            clients: &mut self.clients,
            cluster: &mut door,
            replication: &mut self.replication,
            rng: &mut self.rng,
            server: &mut self.server,
            out,
        })
    }
}

// BUS-10, PS-14: what must be on disk comes before everything that may depend on it.
fn persist_first(outputs: &mut [Output]) {
    let is_persist = |output: &Output| matches!(output, Output::Persist { .. });
    if outputs.iter().any(is_persist) {
        outputs.sort_by_key(|output| !is_persist(output));
    }
}
