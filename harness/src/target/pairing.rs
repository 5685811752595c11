//! Which servers share a shard. Pure.
//!
//! A failover turns master and replica round, so in a shard each server must be able to read what
//! each other writes: the RDB file of a full copy. An older server refuses a newer file, and such a
//! replica never has its data. Mixes are dealt in turn, so that kinds meet in each shard; where
//! they must not meet, they are dealt shard by shard; where that does not work out, the target is
//! refused before anything starts.

use slotquake_checkers::observation::setting::Server;

use super::Launch;

/// Why these servers cannot form these shards.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{older} cannot copy from {newer} (it reads RDB files up to version {reads}, not {writes}), and \
     this mix puts both into one shard of {shard} nodes: give each of them a multiple of {shard}"
)]
pub struct PairingError {
    older: String,
    newer: String,
    reads: u16,
    writes: u16,
    shard: usize,
}

/// Orders the servers so that each shard can copy its data; the first `masters` are the masters,
/// the others their replicas in turn.
///
/// # Errors
/// When no order is found.
pub fn pair(dealt: Vec<Launch>, masters: usize) -> Result<Vec<Launch>, PairingError> {
    let Some(objection) = objection(&dealt, masters) else {
        return Ok(dealt);
    };
    let mut sorted = dealt;
    sorted.sort_by_key(|launch| {
        (
            version_written(&launch.server),
            version_read(&launch.server),
        )
    });
    let shard = sorted.len().div_ceil(masters);
    let mut paired: Vec<Launch> = Vec::with_capacity(sorted.len());
    for place in 0..shard {
        let of_each_shard = (0..masters).filter_map(|master| sorted.get(master * shard + place));
        paired.extend(of_each_shard.cloned());
    }
    match self::objection(&paired, masters) {
        None if paired.len() == sorted.len() => Ok(paired),
        Some(_) | None => Err(objection),
    }
}

/// The first two servers of one shard of which one cannot read what the other writes.
fn objection(launches: &[Launch], masters: usize) -> Option<PairingError> {
    for master in 0..masters.min(launches.len()) {
        let shard: Vec<&Launch> = launches.iter().skip(master).step_by(masters).collect();
        for older in &shard {
            for newer in &shard {
                let reads = version_read(&older.server);
                let writes = version_written(&newer.server);
                if writes > reads {
                    return Some(PairingError {
                        older: name(&older.server),
                        newer: name(&newer.server),
                        reads,
                        writes,
                        shard: shard.len(),
                    });
                }
            }
        }
    }
    None
}

/// RDB version a server writes. Ours writes an old one, so that everybody reads it (RW-53).
fn version_written(server: &Server) -> u16 {
    match server {
        Server::Reference => 9,
        Server::Redis(version) => version_of(version),
    }
}

/// Highest RDB version a server reads (RW-28).
fn version_read(server: &Server) -> u16 {
    match server {
        Server::Reference => 12,
        Server::Redis(version) => version_of(version),
    }
}

/// Upstream's RDB version by its own version; what is newer than we know counts as the newest.
fn version_of(version: &str) -> u16 {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    let number: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    match number {
        (0..=6, _) => 9,
        (7, 0..=1) => 10,
        (7, 2..=3) => 11,
        (_, _) => 12,
    }
}

fn name(server: &Server) -> String {
    match server {
        Server::Reference => "reference".into(),
        Server::Redis(version) => format!("redis {version}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launches(versions: &[&str]) -> Vec<Launch> {
        let launch = |version: &&str| Launch {
            program: "redis-server".into(),
            arguments: Vec::new(),
            library_path: None,
            first_start: Vec::new(),
            server: match *version {
                "reference" => Server::Reference,
                version => Server::Redis(version.into()),
            },
        };
        versions.iter().map(launch).collect()
    }

    fn paired(versions: &[&str]) -> Result<Vec<String>, String> {
        let pairs = pair(launches(versions), 3).map_err(|error| error.to_string())?;
        Ok(pairs.iter().map(|launch| name(&launch.server)).collect())
    }

    #[test]
    fn ours_goes_with_everybody() {
        let mix = [
            "reference",
            "7.0.15",
            "8.2.3",
            "6.2.14",
            "reference",
            "reference",
        ];
        let kept = pair(launches(&mix), 3);
        assert_eq!(kept, Ok(launches(&mix)));
    }

    #[test]
    fn kinds_that_cannot_share_a_shard_are_given_shards_of_their_own() {
        let order = paired(&["6.2.14", "7.0.15", "6.2.14", "7.0.15", "7.0.15", "7.0.15"]);
        let (old, new) = ("redis 6.2.14", "redis 7.0.15");
        let expected = [old, new, new, old, new, new].map(String::from);
        assert_eq!(order, Ok(expected.to_vec()));
    }

    #[test]
    fn a_mix_that_no_order_can_save_is_refused_with_a_remedy() {
        let error = paired(&["6.2.14", "7.0.15", "6.2.14", "7.0.15", "6.2.14", "7.0.15"]);
        let error = error.expect_err("three and three make no shards of two");
        for words in ["6.2.14 cannot copy from redis 7.0.15", "a multiple of 2"] {
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn upstream_versions_have_their_rdb_versions() {
        let known = [
            ("6.2.14", 9),
            ("7.0.15", 10),
            ("7.2.4", 11),
            ("7.4.1", 12),
            ("8.2.3", 12),
        ];
        for (version, rdb) in known {
            assert_eq!(version_of(version), rdb, "{version}");
        }
    }
}
