//! One node's process: started, killed, paused, continued, looked after.
//!
//! The process dies with the thread that started it (and so with the harness); its folder lies in
//! the sandbox; its log goes straight to the recording's folder, where it survives everything.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::target::Launch;
use crate::world::epochs_line;

/// A node's program, its folders and its process.
#[derive(Debug)]
pub(super) struct NodeProcess {
    launch: Launch,
    /// Where it lives.
    folder: PathBuf,
    /// Where its log and the copies of its files go.
    artefacts: PathBuf,
    child: Option<Child>,
    incarnation: u32,
}

impl NodeProcess {
    /// Makes the folders and writes the files; nothing is started yet.
    pub(super) fn prepare(
        launch: Launch,
        folder: PathBuf,
        artefacts: PathBuf,
        files: &[(&str, String)],
    ) -> io::Result<NodeProcess> {
        fs::create_dir_all(&artefacts)?;
        fs::create_dir_all(&folder)?;
        for (name, text) in files {
            fs::write(folder.join(name), text)?;
        }
        fs::copy(folder.join(CONFIG), artefacts.join(CONFIG))?;
        Ok(NodeProcess {
            launch,
            folder,
            artefacts,
            child: None,
            incarnation: 0,
        })
    }

    /// How often it was started.
    pub(super) fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// Whether it is running, as far as was seen.
    pub(super) fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Starts it. It must not be running.
    pub(super) fn start(&mut self) -> io::Result<()> {
        assert!(self.child.is_none(), "a node is started once at a time");
        let mut log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())?;
        writeln!(log, "--- start {} ---", self.incarnation + 1)?;
        let mut command = Command::new(&self.launch.program);
        command
            .args(&self.launch.arguments)
            .arg(self.folder.join(CONFIG))
            .args(
                self.launch
                    .first_start
                    .iter()
                    .filter(|_| self.incarnation == 0),
            )
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        if let Some(path) = &self.launch.library_path {
            command.env("LD_LIBRARY_PATH", path);
        }
        // SAFETY: `prctl` is one system call and allocates nothing.
        unsafe {
            command.pre_exec(|| prctl::set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from));
        }
        self.child = Some(command.spawn()?);
        self.incarnation += 1;
        Ok(())
    }

    /// Kills it and waits for its end; keeps its nodes.conf as it was then.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        child.kill()?;
        child.wait()?;
        self.keep(NODES_CONF, &format!("{NODES_CONF}.{}", self.incarnation))
    }

    /// Ends it; release of [`NodeProcess::start`].
    pub(super) fn stop(&mut self) {
        // What cannot be copied any more is missing from the recording; nothing else follows.
        let _copied = self.kill();
    }

    /// Stops its execution, and waits until the kernel says that it stands.
    pub(super) fn pause(&self, patience: Duration) -> Result<(), String> {
        let pid = self.signal(Signal::SIGSTOP)?;
        let deadline = Instant::now() + patience;
        let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        loop {
            match waitid(Id::Pid(pid), flags) {
                Ok(WaitStatus::Stopped(..)) => return Ok(()),
                Err(errno) => return Err(errno.to_string()),
                Ok(_) if Instant::now() > deadline => {
                    return Err(format!("not stopped after {} ms", patience.as_millis()));
                }
                Ok(_) => std::thread::sleep(Duration::from_micros(200)),
            }
        }
    }

    /// Lets it go on.
    pub(super) fn resume(&self) -> Result<(), String> {
        self.signal(Signal::SIGCONT).map(drop)
    }

    /// If it ended by itself: how, with the last lines of its log.
    pub(super) fn reap(&mut self) -> Option<String> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        self.child = None;
        Some(format!("{}; {}", describe(status), self.log_tail()))
    }

    /// The last lines of its log, in one line.
    pub(super) fn log_tail(&self) -> String {
        let tail = read_tail(&self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = tail
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
        format!("last log lines: {}", last.join(" | "))
    }

    /// Copies what is worth keeping to the recording.
    pub(super) fn keep_files(&self) -> io::Result<()> {
        self.keep(NODES_CONF, NODES_CONF)
    }

    /// The epochs in its nodes.conf, as far as it can be read.
    pub(super) fn stored_epochs(&self) -> String {
        let text = fs::read_to_string(self.folder.join(NODES_CONF));
        epochs_line(&text.unwrap_or_default())
    }

    fn keep(&self, name: &str, copy: &str) -> io::Result<()> {
        match fs::copy(self.folder.join(name), self.artefacts.join(copy)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn log_path(&self) -> PathBuf {
        self.artefacts.join("log")
    }

    fn signal(&self, signal: Signal) -> Result<Pid, String> {
        let child = self.child.as_ref().ok_or("it is not running")?;
        let pid = Pid::from_raw(child.id().cast_signed());
        kill(pid, signal).map_err(|errno| errno.to_string())?;
        Ok(pid)
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

fn read_tail(path: &std::path::Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Name of the configuration file.
pub(super) const CONFIG: &str = "redis.conf";
/// Name of the cluster's file.
pub(super) const NODES_CONF: &str = "nodes.conf";
const LOG_LINES: usize = 4;
const LOG_TAIL_BYTES: u64 = 2048;
