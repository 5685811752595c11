//! What users may ask of every workload: how many keys, which are hot, how large values are, who
//! is read, what a write waits for, and when operations come.
//!
//! The default is what each workload does by itself. [`Load::dress`] turns an operation that a
//! workload drew into one that the load asks for.

use serde::{Deserialize, Serialize};
use slotquake_checkers::history::Function;

use crate::rng::Rng;
use crate::workload::{Op, Shape, Wait};

/// Which keys are used how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skew {
    /// A few hot keys, as the workload has them.
    #[default]
    Hot,
    /// All alike.
    Uniform,
    /// The second key half as often as the first, the third a third, ….
    Zipf,
}

/// When a client begins its next operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrival {
    /// At an even pace; an answer that is late delays what comes after.
    #[default]
    Paced,
    /// Open loop: at times that do not depend on answers; what a late answer held up is begun as
    /// soon as it is there.
    Open,
    /// Closed loop: as soon as the last one is over, whatever the rate; a moment later if it
    /// failed.
    Closed,
}

/// What is asked of every workload; fields that are absent are as each workload has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Load {
    /// Keys of each workload that has a number of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<u64>,
    /// Which of them are hot.
    #[serde(skip_serializing_if = "is_usual")]
    pub skew: Skew,
    /// Keys share so many hash tags; 0 for none.
    #[serde(skip_serializing_if = "is_usual")]
    pub hash_tags: u64,
    /// Values that are written have at least so many bytes.
    #[serde(skip_serializing_if = "is_usual")]
    pub value_bytes: u32,
    /// Share of the reads that ask a replica, percent.
    #[serde(skip_serializing_if = "is_usual")]
    pub replica_reads_percent: u8,
    /// Writes are followed by WAIT for so many replicas; 0 for none.
    #[serde(skip_serializing_if = "is_usual")]
    pub wait_replicas: u8,
    /// When operations come.
    #[serde(skip_serializing_if = "is_usual")]
    pub arrival: Arrival,
    /// Operations that each client has on their way at once, on one connection to each node.
    #[serde(skip_serializing_if = "is_one")]
    pub pipeline: u16,
}

impl Default for Load {
    fn default() -> Load {
        Load {
            keys: None,
            skew: Skew::default(),
            hash_tags: 0,
            value_bytes: 0,
            replica_reads_percent: 0,
            wait_replicas: 0,
            arrival: Arrival::default(),
            pipeline: 1,
        }
    }
}

/// Most keys of a workload.
pub const KEYS_MAX: u64 = 1_000_000;
/// Largest value, bytes.
pub const VALUE_BYTES_MAX: u32 = 1 << 20;
/// Most operations of one client on their way at once.
pub const PIPELINE_MAX: u16 = 1000;
/// How long WAIT waits, ms: shorter than a client waits for its answer.
pub const WAIT_MS: u64 = 300;

impl Skew {
    /// All of them.
    pub const ALL: &[Skew] = &[Skew::Hot, Skew::Uniform, Skew::Zipf];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Skew::Hot => "hot",
            Skew::Uniform => "uniform",
            Skew::Zipf => "zipf",
        }
    }
}

impl Arrival {
    /// All of them.
    pub const ALL: &[Arrival] = &[Arrival::Paced, Arrival::Open, Arrival::Closed];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Arrival::Paced => "paced",
            Arrival::Open => "open",
            Arrival::Closed => "closed",
        }
    }
}

fn is_usual<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn is_one(count: &u16) -> bool {
    *count == 1
}

impl Load {
    /// Whether nothing is asked.
    pub fn is_usual(&self) -> bool {
        is_usual(self)
    }

    /// Which field asks what cannot be, and what it may ask.
    ///
    /// # Errors
    /// The name of the field, and what it may be.
    pub fn validate(&self) -> Result<(), (&'static str, String)> {
        let keys = self.keys.unwrap_or(1);
        if !(1..=KEYS_MAX).contains(&keys) {
            return Err(("keys", format!("{keys}: from 1 to {KEYS_MAX}")));
        }
        if self.value_bytes > VALUE_BYTES_MAX {
            let given = self.value_bytes;
            return Err((
                "value_bytes",
                format!("{given}: {VALUE_BYTES_MAX} at the most"),
            ));
        }
        if self.replica_reads_percent > 100 {
            let given = self.replica_reads_percent;
            return Err(("replica_reads_percent", format!("{given}: 100 at the most")));
        }
        if !(1..=PIPELINE_MAX).contains(&self.pipeline) {
            let given = self.pipeline;
            return Err(("pipeline", format!("{given}: from 1 to {PIPELINE_MAX}")));
        }
        Ok(())
    }

    /// The same load where masters have so many replicas: it asks for no more than there are.
    pub fn for_replicas(self, replicas: u16) -> Load {
        let most = u8::try_from(replicas).unwrap_or(u8::MAX);
        Load {
            wait_replicas: self.wait_replicas.min(most),
            replica_reads_percent: match replicas {
                0 => 0,
                _ => self.replica_reads_percent,
            },
            ..self
        }
    }

    /// The operation as the load asks for it. Draws from `rng` only if the load asks for chance.
    pub fn dress(&self, mut op: Op, rng: &mut Rng) -> Op {
        op.value_bytes = self.value_bytes;
        if op.f.is_write() && self.wait_replicas > 0 {
            op.wait = Some(Wait {
                replicas: self.wait_replicas,
                wait_ms: WAIT_MS,
            });
        }
        let is_plain = matches!(op.shape, Shape::Register | Shape::Set | Shape::List);
        if op.f == Function::Read
            && is_plain
            && self.replica_reads_percent > 0
            && rng.chance(u64::from(self.replica_reads_percent))
        {
            op.f = Function::ReplicaRead;
        }
        op
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_load_changes_nothing_and_draws_nothing() {
        let (mut rng, untouched) = (Rng::new(1), Rng::new(1));
        let op = Op::write("k".into(), 7);
        assert_eq!(Load::default().dress(op.clone(), &mut rng), op);
        assert_eq!(rng.next_u64(), untouched.clone().next_u64());
    }

    #[test]
    fn reads_go_to_replicas_and_writes_wait_as_asked() {
        let load = Load {
            replica_reads_percent: 100,
            wait_replicas: 2,
            ..Load::default()
        };
        let mut rng = Rng::new(1);
        let read = load.dress(Op::read("k".into(), Shape::Register), &mut rng);
        assert_eq!((read.f, read.wait), (Function::ReplicaRead, None));
        let write = load.dress(Op::write("k".into(), 7), &mut rng);
        assert_eq!(write.wait.map(|wait| wait.replicas), Some(2));
    }

    #[test]
    fn says_which_field_is_impossible() {
        let load = Load {
            replica_reads_percent: 101,
            ..Load::default()
        };
        assert_eq!(load.validate().unwrap_err().0, "replica_reads_percent");
    }
}
