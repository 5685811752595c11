//! Opens a page in headless Chromium, without network, and hands back what became of it.

use std::path::Path;
use std::process::{Command, Stdio};

/// The document after its scripts have run.
///
/// # Panics
/// When there is no Chromium: the report must not go untested without anybody noticing.
pub fn dom_of(page: &Path) -> String {
    dom_of_part(page, "")
}

/// As [`dom_of`], opened at a fragment of the page.
///
/// # Panics
/// As [`dom_of`].
pub fn dom_of_part(page: &Path, fragment: &str) -> String {
    let profile = tempfile::tempdir().expect("a temporary folder can be made");
    let output = chromium(profile.path())
        .arg("--virtual-time-budget=10000")
        .arg("--dump-dom")
        .arg(format!("file://{}#{fragment}", page.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| {
            panic!("chromium does not start ({error}): apt-get install chromium")
        });
    assert!(
        output.status.success(),
        "chromium failed on {}: {}",
        page.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("chromium prints the document as UTF-8")
}

/// Takes a picture of a page, for people who work on the report.
pub fn picture_of(page: &Path, picture: &Path, size: (u32, u32)) {
    let profile = tempfile::tempdir().expect("a temporary folder can be made");
    let status = chromium(profile.path())
        .arg(format!("--window-size={},{}", size.0, size.1))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", page.display()))
        .stderr(Stdio::null())
        .status()
        .unwrap_or_else(|error| {
            panic!("chromium does not start ({error}): apt-get install chromium")
        });
    assert!(status.success(), "chromium failed on {}", page.display());
}

fn chromium(profile: &Path) -> Command {
    let mut command = Command::new("chromium");
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
    ]);
    command.arg(format!("--user-data-dir={}", profile.display()));
    command
}
