//! The options that say how every workload is carried out.

use clap::Args;
use slotquake_workloads::load::{Arrival, Load, Skew};

/// How the workloads load the cluster.
#[derive(Debug, Clone, Args)]
pub struct LoadOptions {
    /// Keys of each workload [default: each workload's own number]
    #[arg(long, value_name = "N")]
    keys: Option<u64>,
    /// Which keys are used how often: `hot` (a few hot ones), `uniform` or `zipf`
    #[arg(long, value_name = "SKEW", default_value = "hot", value_parser = skew)]
    skew: Skew,
    /// Give keys one of so many hash tags, so that they share slots; 0 for none
    #[arg(long, value_name = "N", default_value_t = 0)]
    hash_tags: u64,
    /// Make written values at least so many bytes long
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    value_size: u32,
    /// Let so many of a hundred reads ask a replica
    #[arg(long, value_name = "PERCENT", default_value_t = 0)]
    replica_reads: u8,
    /// Let each write be followed by WAIT for so many replicas; 0 for none
    #[arg(long, value_name = "N", default_value_t = 0)]
    wait: u8,
    /// When clients begin their next operation: `paced` (evenly), `open` (whatever the answers
    /// take) or `closed` (as soon as the last is over; the same as --rate max)
    #[arg(long, value_name = "ARRIVAL", default_value = "paced", value_parser = arrival)]
    arrival: Arrival,
    /// Let each client keep so many operations on their way, on one connection to each node
    #[arg(long, value_name = "N", default_value_t = 1)]
    pipeline: u16,
}

/// Operations per second over all clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// So many; 0 for no load.
    PerSecond(u64),
    /// As many as there can be: a closed loop.
    Max,
}

impl Rate {
    /// Reads a number, or `max`.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str) -> Result<Rate, String> {
        match text.parse() {
            Ok(number) => Ok(Rate::PerSecond(number)),
            Err(_) if text == "max" => Ok(Rate::Max),
            Err(_) => Err("a number of operations per second, or max".into()),
        }
    }

    /// The number, if it is one.
    pub fn per_second(self) -> Option<u64> {
        match self {
            Rate::PerSecond(number) => Some(number),
            Rate::Max => None,
        }
    }
}

impl LoadOptions {
    /// The load they ask for at this rate.
    ///
    /// # Errors
    /// The rate contradicts `--arrival`.
    pub fn load_at(&self, rate: Option<Rate>) -> Result<Load, String> {
        let load = self.load();
        match (rate, load.arrival) {
            (Some(Rate::PerSecond(_)) | None, _) => Ok(load),
            (Some(Rate::Max), Arrival::Paced | Arrival::Closed) => Ok(Load {
                arrival: Arrival::Closed,
                ..load
            }),
            (Some(Rate::Max), Arrival::Open) => Err(
                "--rate max is a closed loop: it contradicts --arrival open, which needs a number"
                    .into(),
            ),
        }
    }

    fn load(&self) -> Load {
        Load {
            keys: self.keys,
            skew: self.skew,
            hash_tags: self.hash_tags,
            value_bytes: self.value_size,
            replica_reads_percent: self.replica_reads,
            wait_replicas: self.wait,
            arrival: self.arrival,
            pipeline: self.pipeline,
        }
    }
}

fn skew(name: &str) -> Result<Skew, String> {
    let mut all = Skew::ALL.iter();
    let found = all.find(|skew| skew.name() == name).copied();
    found.ok_or_else(|| "there are hot, uniform and zipf".into())
}

fn arrival(name: &str) -> Result<Arrival, String> {
    let mut all = Arrival::ALL.iter();
    let found = all.find(|arrival| arrival.name() == name).copied();
    found.ok_or_else(|| "there are paced, open and closed".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_or_max() {
        assert_eq!(Rate::parse("20"), Ok(Rate::PerSecond(20)));
        assert_eq!(Rate::parse("max"), Ok(Rate::Max));
        assert!(Rate::parse("fast").is_err());
    }

    #[test]
    fn every_name_is_read_back() {
        assert!(Skew::ALL.iter().all(|one| skew(one.name()) == Ok(*one)));
        let mut all = Arrival::ALL.iter();
        assert!(all.all(|one| arrival(one.name()) == Ok(*one)));
    }
}
