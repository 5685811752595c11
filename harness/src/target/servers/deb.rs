//! A server out of Debian's packages: downloaded by `apt-get`, unpacked by `dpkg-deb`.
//!
//! Neither needs root. Libraries that the machine lacks come from their packages in the same way
//! and are used by this server only. Where the machine's package lists are missing (containers drop
//! them), lists of our own are fetched into the working folder.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::FetchError;
use super::tool::Tool;

/// Fetches the package and what it needs into `root/bin` and `root/lib`.
pub(super) fn fetch(
    server: &'static str,
    package: &str,
    work: &Path,
    root: &Path,
) -> Result<(), FetchError> {
    let tool = |program| Tool {
        server,
        program,
        remedy: REMEDY,
    };
    let written = |why| FetchError::Cache {
        path: work.to_owned(),
        why,
    };
    let unpacked = work.join("unpacked");
    let own_lists = match download(tool("apt-get"), package, work, &[]) {
        Ok(()) => Vec::new(),
        Err(FetchError::ToolFailed { .. }) => {
            let options = own_lists(tool("apt-get"), work)?;
            download(tool("apt-get"), package, work, &options)?;
            options
        }
        Err(other) => return Err(other),
    };
    unpack(tool("dpkg-deb"), work, &unpacked)?;
    fs::create_dir_all(root.join("bin")).map_err(written)?;
    for program in ["redis-server", "redis-cli"] {
        let source = match unpacked.join("usr/bin").join(program) {
            source if source.exists() => source,
            _ => unpacked.join("usr/bin/redis-check-rdb"),
        };
        if source.exists() {
            fs::copy(source, root.join("bin").join(program)).map_err(written)?;
        }
    }
    let program = root.join("bin/redis-server");
    for _round in 0..LIBRARY_ROUNDS_MAX {
        let missing = missing_libraries(tool("ldd"), &program, &root.join("lib"))?;
        let packages: Vec<&str> = LIBRARIES
            .iter()
            .filter(|(library, _)| missing.iter().any(|name| name == library))
            .map(|(_, package)| *package)
            .collect();
        if packages.is_empty() {
            break;
        }
        for package in packages {
            download(tool("apt-get"), package, work, &own_lists)?;
        }
        unpack(tool("dpkg-deb"), work, &unpacked)?;
        collect_libraries(&unpacked, &root.join("lib")).map_err(written)?;
    }
    Ok(())
}

fn download(tool: Tool, package: &str, work: &Path, options: &[String]) -> Result<(), FetchError> {
    // As root, apt would drop to a user who cannot write here, and warn.
    let unsandboxed = ["-o", "APT::Sandbox::User=root"];
    tool.run(|apt| {
        apt.args(unsandboxed)
            .args(options)
            .args(["download", package])
            .current_dir(work)
    })?;
    Ok(())
}

/// Fetches package lists into the working folder; gives the options that use them.
fn own_lists(tool: Tool, work: &Path) -> Result<Vec<String>, FetchError> {
    let folder = work.join("apt");
    for part in ["lists/partial", "cache/archives/partial"] {
        let path = folder.join(part);
        fs::create_dir_all(&path).map_err(|why| FetchError::Cache { path, why })?;
    }
    let options: Vec<String> = [("Dir::State::lists", "lists"), ("Dir::Cache", "cache")]
        .iter()
        .flat_map(|(key, part)| {
            [
                "-o".into(),
                format!("{key}={}", folder.join(part).display()),
            ]
        })
        .chain(["-o".into(), "APT::Sandbox::User=root".into()])
        .collect();
    tool.run(|apt: &mut Command| apt.args(&options).arg("update"))?;
    Ok(options)
}

/// Unpacks every package in the working folder and removes it.
fn unpack(tool: Tool, work: &Path, unpacked: &Path) -> Result<(), FetchError> {
    let written = |why| FetchError::Cache {
        path: work.to_owned(),
        why,
    };
    for entry in fs::read_dir(work).map_err(written)? {
        let path = entry.map_err(written)?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            tool.run(|dpkg| dpkg.arg("-x").arg(&path).arg(unpacked))?;
            fs::remove_file(&path).map_err(written)?;
        }
    }
    Ok(())
}

/// What the program needs and neither the machine nor `folder` has.
fn missing_libraries(tool: Tool, program: &Path, folder: &Path) -> Result<Vec<String>, FetchError> {
    let listing = tool.run(|ldd| ldd.arg(program).env("LD_LIBRARY_PATH", folder))?;
    let missing = listing
        .lines()
        .filter_map(|line| line.trim().strip_suffix(" => not found"));
    Ok(missing.map(str::to_owned).collect())
}

/// Copies the shared libraries of all unpacked packages into one folder, by the name of each link.
fn collect_libraries(unpacked: &Path, folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut pending = vec![unpacked.join("usr/lib"), unpacked.join("lib")];
    while let Some(place) = pending.pop() {
        if !place.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&place)? {
            let entry = entry?;
            let name = entry.file_name();
            if entry.file_type()?.is_dir() {
                pending.push(entry.path());
            } else if name.to_string_lossy().contains(".so") && entry.path().is_file() {
                fs::copy(entry.path(), folder.join(name))?;
            }
        }
    }
    Ok(())
}

const REMEDY: &str = "it works on Debian 12; elsewhere give the path of a redis-server";
/// Libraries need libraries, but not this deep.
const LIBRARY_ROUNDS_MAX: usize = 6;
/// Which package has which library; only what is not on every Debian.
const LIBRARIES: &[(&str, &str)] = &[
    ("libatomic.so.1", "libatomic1"),
    ("libcap.so.2", "libcap2"),
    ("libcrypto.so.3", "libssl3"),
    ("libgcc_s.so.1", "libgcc-s1"),
    ("libgcrypt.so.20", "libgcrypt20"),
    ("libgpg-error.so.0", "libgpg-error0"),
    ("libjemalloc.so.2", "libjemalloc2"),
    ("liblua5.1.so.0", "liblua5.1-0"),
    ("liblz4.so.1", "liblz4-1"),
    ("liblzf.so.1", "liblzf1"),
    ("liblzma.so.5", "liblzma5"),
    ("libssl.so.3", "libssl3"),
    ("libstdc++.so.6", "libstdc++6"),
    ("libsystemd.so.0", "libsystemd0"),
    ("libzstd.so.1", "libzstd1"),
];
