//! What a replica says before the stream, and what it makes of the answers (sections 1 and 2).

use bytes::{Bytes, BytesMut};

use super::handover::Demand;
use super::stream::{StreamError, put_command, take_line};
use super::{ReplId, ReplOffset};
use crate::config::Config;

/// A handshake on its way.
#[derive(Debug, Clone)]
pub struct Handshake {
    stage: Stage,
}

/// Which answer comes next.
#[derive(Debug, Clone)]
enum Stage {
    Pong,
    /// To AUTH, if it was sent, and so many REPLCONFs after it.
    Settings {
        auth: Auth,
        replconfs: usize,
    },
    Psync,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Auth {
    Awaited,
    Done,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this.
    Send(Bytes),
    /// Ask for a synchronisation.
    SendPsync,
    /// A snapshot follows; the stream goes on after it from this place.
    Full(ReplId, ReplOffset),
    /// The stream follows at once; under another id if one is given (RW-13).
    Partial(Option<ReplId>),
}

impl HandshakeError {
    /// Whether the master refused for good, not just for now.
    pub fn is_final(&self) -> bool {
        match self {
            HandshakeError::Refused { step, answer } => {
                let is_for_now = ["-NOMASTERLINK", "-LOADING"]
                    .iter()
                    .any(|code| answer.starts_with(code));
                *step == "PSYNC" && !is_for_now
            }
            HandshakeError::Stream(_) => false,
        }
    }
}

/// Why it ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The master refused a step.
    #[error("the master answered {step} with {answer}")]
    Refused {
        /// Which.
        step: &'static str,
        /// How.
        answer: String,
    },
    /// No line.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl Handshake {
    /// Starts: RW-01, PING alone.
    pub fn start() -> (Handshake, Bytes) {
        (Handshake { stage: Stage::Pong }, command(&["PING"]))
    }

    /// What a PSYNC for this place looks like.
    pub fn psync(id: ReplId, next: ReplOffset, demand: Demand) -> Bytes {
        let (id, next) = (id.to_string(), next.to_string());
        match demand {
            Demand::GoOn => command(&["PSYNC", &id, &next]),
            // RW-18.
            Demand::TakeOver => command(&["PSYNC", &id, &next, "FAILOVER"]),
        }
    }

    /// Takes one answer off the buffer; none if it is not there yet.
    ///
    /// # Errors
    /// The master wants no replica, or not now; try again on a new connection.
    pub fn take(
        &mut self,
        buffer: &mut BytesMut,
        config: &Config,
    ) -> Result<Option<Step>, HandshakeError> {
        loop {
            let Some(line) = take_line(buffer)? else {
                return Ok(None);
            };
            // RW-11: empty lines are keepalives.
            if line.is_empty() {
                continue;
            }
            if let Some(step) = self.answered(&line, config)? {
                return Ok(Some(step));
            }
        }
    }

    fn answered(&mut self, line: &[u8], config: &Config) -> Result<Option<Step>, HandshakeError> {
        match &mut self.stage {
            Stage::Pong => {
                let is_accepted = line.starts_with(b"+")
                    || line.starts_with(b"-NOAUTH")
                    || line.starts_with(b"-NOPERM")
                    || line.starts_with(b"-ERR operation not permitted");
                if !is_accepted {
                    return Err(refused("PING", line));
                }
                let (stage, bytes) = settings(config);
                self.stage = stage;
                Ok(Some(Step::Send(bytes)))
            }
            Stage::Settings {
                auth: auth @ Auth::Awaited,
                ..
            } => {
                if line.starts_with(b"-") {
                    return Err(refused("AUTH", line));
                }
                *auth = Auth::Done;
                Ok(None)
            }
            Stage::Settings { replconfs, .. } => {
                // Refusals are ignored.
                *replconfs -= 1;
                if *replconfs > 0 {
                    return Ok(None);
                }
                self.stage = Stage::Psync;
                Ok(Some(Step::SendPsync))
            }
            Stage::Psync => synchronised(line).map(Some),
        }
    }
}

fn synchronised(line: &[u8]) -> Result<Step, HandshakeError> {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let step = match words.as_slice() {
        [b"+FULLRESYNC", id, offset] => {
            let offset = std::str::from_utf8(offset)
                .ok()
                .and_then(|text| text.parse().ok());
            ReplId::parse(id)
                .zip(offset)
                .map(|(id, at)| Step::Full(id, ReplOffset(at)))
        }
        [b"+CONTINUE", id] => ReplId::parse(id).map(|id| Step::Partial(Some(id))),
        [b"+CONTINUE"] => Some(Step::Partial(None)),
        _ => None,
    };
    step.ok_or_else(|| refused("PSYNC", line))
}

// RW-01: AUTH and the REPLCONFs are written together.
fn settings(config: &Config) -> (Stage, Bytes) {
    let mut bytes = Vec::new();
    let mut auth = Auth::Done;
    let user = config
        .other
        .get("masteruser")
        .filter(|user| !user.is_empty());
    if !config.masterauth.is_empty() {
        auth = Auth::Awaited;
        match user {
            Some(user) => put_command(&mut bytes, &["AUTH", user, &config.masterauth]),
            None => put_command(&mut bytes, &["AUTH", &config.masterauth]),
        }
    }
    // RW-02: what the master shows of us in INFO and ROLE.
    let announced = config.other.get("replica-announce-port");
    let announced = announced
        .and_then(|port| port.parse().ok())
        .filter(|port| *port != 0);
    let port = announced.unwrap_or(config.port).to_string();
    put_command(&mut bytes, &["REPLCONF", "listening-port", &port]);
    let mut replconfs = 2;
    let ip = config
        .other
        .get("replica-announce-ip")
        .filter(|ip| !ip.is_empty());
    if let Some(ip) = ip {
        put_command(&mut bytes, &["REPLCONF", "ip-address", ip]);
        replconfs += 1;
    }
    put_command(&mut bytes, &["REPLCONF", "capa", "eof", "capa", "psync2"]);
    (Stage::Settings { auth, replconfs }, bytes.into())
}

fn command(args: &[&str]) -> Bytes {
    let mut bytes = Vec::new();
    put_command(&mut bytes, args);
    bytes.into()
}

fn refused(step: &'static str, line: &[u8]) -> HandshakeError {
    let answer = String::from_utf8_lossy(line).into_owned();
    HandshakeError::Refused { step, answer }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    fn answers(config: &Config, lines: &str) -> Result<Vec<Step>, HandshakeError> {
        let (mut handshake, _) = Handshake::start();
        let mut buffer = BytesMut::from(lines);
        std::iter::from_fn(|| handshake.take(&mut buffer, config).transpose()).collect()
    }

    /// Proves RW-01, RW-11.
    #[test]
    fn takes_the_steps_in_order_and_skips_keepalives() {
        let lines = format!("+PONG\r\n+OK\r\n-ERR ?\r\n\n\n+FULLRESYNC {ID} 141\r\n");
        let steps = answers(&Config::default(), &lines).expect("accepted");
        let settings = "*3\r\n$8\r\nREPLCONF\r\n$14\r\nlistening-port\r\n$4\r\n6379\r\n\
                        *5\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n$4\r\ncapa\r\n\
                        $6\r\npsync2\r\n";
        let id = ReplId::parse(ID.as_bytes()).expect("valid");
        assert_eq!(
            steps,
            [
                Step::Send(settings.into()),
                Step::SendPsync,
                Step::Full(id, ReplOffset(141))
            ]
        );
    }

    #[test]
    fn a_refused_password_ends_it() {
        let config = Config {
            masterauth: "secret".into(),
            ..Config::default()
        };
        let ended = answers(&config, "-NOAUTH x\r\n-WRONGPASS no\r\n");
        assert!(matches!(
            ended,
            Err(HandshakeError::Refused { step: "AUTH", .. })
        ));
    }

    #[test]
    fn a_master_that_cannot_serve_now_ends_it() {
        let lines = "+PONG\r\n+OK\r\n+OK\r\n-NOMASTERLINK Can't SYNC\r\n";
        assert!(answers(&Config::default(), lines).is_err());
    }
}
