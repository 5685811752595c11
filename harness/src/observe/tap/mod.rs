//! The bus tap: what the nodes say to each other, seen without asking them.
//!
//! ```text
//! ring of lo ──► pcapng (raw) ──► TCP reassembly ──► the checkers' decoder ──► packets
//! ```
//! It runs on its own thread inside the sandbox and changes nothing. A packet's time is when its
//! last byte first left; it counts as delivered when the receiver's kernel acknowledged that byte
//! (R2: capture is not delivery). What the ring lost is counted, and so is what could not be
//! reassembled: a checker of the bus is undecided when that is not 0.
//!
//! Rooms: `ring` (the kernel side), [`segment`], [`reassembly`] (pure), [`pcapng`].

pub mod pcapng;
pub mod reassembly;
mod ring;
pub mod segment;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use slotquake_checkers::observation::{NodeName, Packet};

use pcapng::Pcapng;
use reassembly::Reassembly;
use ring::Ring;
use segment::Segment;

/// What to listen to, and where to put the raw bytes.
#[derive(Debug)]
pub struct TapOptions {
    /// TCP port of the bus, the same on all nodes.
    pub bus_port: u16,
    /// Whose address is whose.
    pub owners: BTreeMap<Ipv4Addr, NodeName>,
    /// Time 0 of the run.
    pub start: Instant,
    /// File for the raw packets.
    pub pcapng: PathBuf,
}

/// Why the bus cannot be captured.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// The kernel refused the capture.
    #[error("the kernel refuses to capture packets ({0}); packet sockets need CONFIG_PACKET")]
    Refused(#[from] Errno),
    /// The file or the thread could not be made.
    #[error("the capture could not begin: {0}")]
    Io(#[from] io::Error),
}

/// What was captured.
#[derive(Debug, Default)]
pub struct Tapped {
    /// In order of time.
    pub packets: Vec<Packet>,
    /// Packets that the capture lost, at least.
    pub lost: u64,
}

/// A capture under way.
#[derive(Debug)]
pub struct Tap {
    ending: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Tapped>>,
}

impl Tap {
    /// Begins to capture; returns once nothing sent from now on is missed.
    ///
    /// # Errors
    /// When the kernel refuses, or the file cannot be written.
    pub fn start(options: TapOptions) -> Result<Tap, TapError> {
        let ring = Ring::open(options.bus_port)?;
        let file = BufWriter::new(File::create(&options.pcapng)?);
        let raw = Pcapng::begin(file)?;
        let ending = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ending);
        let thread = std::thread::Builder::new()
            .name("bus-tap".to_owned())
            .spawn(move || run(ring, raw, options, &seen))?;
        Ok(Tap { ending, thread })
    }

    /// Ends the capture and gives what it saw.
    ///
    /// # Errors
    /// When the raw packets could not be written.
    pub fn finish(self) -> io::Result<Tapped> {
        self.ending.store(true, Ordering::Release);
        match self.thread.join() {
            Ok(tapped) => tapped,
            Err(_) => Err(io::Error::other("the bus tap panicked")),
        }
    }
}

fn run(
    mut ring: Ring,
    mut raw: Pcapng<BufWriter<File>>,
    options: TapOptions,
    ending: &AtomicBool,
) -> io::Result<Tapped> {
    let mut flows = Reassembly::new(options.owners);
    let mut quiet_rounds = 0;
    // After the end is asked for, the kernel may still hold a block that is not full.
    while quiet_rounds < 2 {
        let now_wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let zero_wall =
            nanos(now_wall.unwrap_or_default()).saturating_sub(nanos(options.start.elapsed()));
        let mut failed = Ok(());
        let seen = ring.poll(ring::RETIRE * 2, |stamp, bytes| {
            if failed.is_ok() {
                failed = raw.packet(stamp, bytes);
            }
            if let Some(segment) = Segment::parse(bytes) {
                flows.observe(stamp.saturating_sub(zero_wall), &segment);
            }
        })?;
        failed?;
        match ending.load(Ordering::Acquire) && seen == 0 {
            true => quiet_rounds += 1,
            false => quiet_rounds = 0,
        }
    }
    raw.finish()?;
    let mut tapped = flows.finish();
    tapped.lost += ring.losses()?;
    Ok(tapped)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
