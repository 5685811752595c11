//! The shape of the simulated network while nothing is wrong with it.

use serde::{Deserialize, Serialize};

/// How long things are on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// At least so long, us.
    pub delay_us: u64,
    /// And up to so much longer, each time anew, us.
    pub jitter_us: u64,
    /// And up to so much longer on some paths between two nodes than on others, in one direction or
    /// the other, us.
    pub uneven_us: u64,
}

/// Most of each, us.
pub const NETWORK_US_MAX: u64 = 1_000_000;

impl Default for Network {
    /// A quick local network.
    fn default() -> Network {
        Network {
            delay_us: 50,
            jitter_us: 450,
            uneven_us: 0,
        }
    }
}

impl Network {
    /// Whether it is as usual.
    pub fn is_usual(&self) -> bool {
        *self == Network::default()
    }

    /// The first field that is out of bounds, and its value.
    pub fn out_of_bounds(&self) -> Option<(&'static str, u64)> {
        let fields = [
            ("network.delay_us", self.delay_us),
            ("network.jitter_us", self.jitter_us),
            ("network.uneven_us", self.uneven_us),
        ];
        fields.into_iter().find(|(_, us)| *us > NETWORK_US_MAX)
    }

    /// `50,450,0`, as the command line takes it.
    pub fn text(&self) -> String {
        format!("{},{},{}", self.delay_us, self.jitter_us, self.uneven_us)
    }

    /// Reads what [`Network::text`] writes.
    ///
    /// # Errors
    /// What is expected.
    pub fn parse(text: &str) -> Result<Network, String> {
        let numbers: Result<Vec<u64>, _> = text.split(',').map(str::parse).collect();
        match numbers.as_deref() {
            Ok([delay_us, jitter_us, uneven_us]) => Ok(Network {
                delay_us: *delay_us,
                jitter_us: *jitter_us,
                uneven_us: *uneven_us,
            }),
            Ok(_) | Err(_) => Err("give delay, jitter and unevenness in us, as in 50,450,0".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_survives_its_own_text() {
        let network = Network {
            delay_us: 1,
            jitter_us: 2,
            uneven_us: 3,
        };
        assert_eq!(Network::parse(&network.text()), Ok(network));
        for bad in ["", "1,2", "1,2,3,4", "1,2,x", "-1,2,3"] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
    }
}
