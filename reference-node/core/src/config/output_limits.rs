//! `client-output-buffer-limit`: how much may wait to be read by a client, by what kind of client.
//!
//! The text is upstream's: `class hard soft seconds`, for one or more of the classes. A limit of 0
//! is none.

use super::settings::memory;

/// What kind of client it is, for its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientClass {
    /// One that asks and is answered.
    Normal,
    /// A replica, or a client in MONITOR.
    Replica,
    /// A subscriber.
    Pubsub,
}

/// The limit of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputLimit {
    /// Above this many bytes it is closed at once.
    pub hard_bytes: u64,
    /// Above this many bytes it is closed after some time.
    pub soft_bytes: u64,
    /// After how many seconds.
    pub soft_seconds: u64,
}

/// The limits of all classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputLimits([OutputLimit; 3]);

impl Default for OutputLimits {
    fn default() -> OutputLimits {
        OutputLimits([
            limit(0, 0, 0),
            limit(256 << 20, 64 << 20, 60),
            limit(32 << 20, 8 << 20, 60),
        ])
    }
}

impl OutputLimits {
    /// The limit of a class.
    pub fn of(&self, class: ClientClass) -> OutputLimit {
        self.0[class as usize]
    }

    /// With those classes changed that the text names.
    ///
    /// # Errors
    /// Upstream's words.
    pub fn changed(&self, text: &str) -> Result<OutputLimits, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.is_empty() || !words.len().is_multiple_of(4) {
            return Err("Wrong number of arguments in buffer limit configuration.".into());
        }
        let unknown = "Invalid client class specified in buffer limit configuration.";
        let mut limits = *self;
        for class in words.chunks_exact(4) {
            let index = match class[0].to_lowercase().as_str() {
                "normal" => ClientClass::Normal,
                "slave" | "replica" => ClientClass::Replica,
                "pubsub" => ClientClass::Pubsub,
                _ => return Err(unknown.into()),
            };
            let wrong =
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
            let bytes = |text| memory(text).map_err(|_| wrong.to_string());
            let soft_seconds = class[3].parse().map_err(|_| wrong.to_string())?;
            limits.0[index as usize] = limit(bytes(class[1])?, bytes(class[2])?, soft_seconds);
        }
        Ok(limits)
    }

    /// As CONFIG GET shows them.
    pub fn shown(&self) -> String {
        let named = ["normal", "slave", "pubsub"].iter().zip(self.0);
        let texts = named.map(|(name, limit)| {
            let OutputLimit {
                hard_bytes,
                soft_bytes,
                soft_seconds,
            } = limit;
            format!("{name} {hard_bytes} {soft_bytes} {soft_seconds}")
        });
        texts.collect::<Vec<String>>().join(" ")
    }
}

const fn limit(hard_bytes: u64, soft_bytes: u64, soft_seconds: u64) -> OutputLimit {
    OutputLimit {
        hard_bytes,
        soft_bytes,
        soft_seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_changes_the_classes_that_it_names() {
        let limits = OutputLimits::default();
        let shown = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
        assert_eq!(limits.shown(), shown);
        let changed = limits
            .changed("PUBSUB 2mb 1mb 5 replica 10 0 0")
            .expect("valid");
        let shown = "normal 0 0 0 slave 10 0 0 pubsub 2097152 1048576 5";
        assert_eq!(changed.shown(), shown);
        assert_eq!(changed.of(ClientClass::Replica).hard_bytes, 10);
        for bad in [
            "",
            "normal 1 1",
            "nobody 0 0 0",
            "normal x 0 0",
            "normal 0 0 -1",
        ] {
            assert!(limits.changed(bad).is_err(), "{bad:?}");
        }
    }
}
