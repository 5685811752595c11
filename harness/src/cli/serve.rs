//! A file server for the store: GET only, loopback only, nothing outside the store.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::console;
use super::exit::{Exit, Failure};
use crate::report::junit::escaped;

/// Serves the store until the process is ended.
///
/// # Errors
/// When the store or the port cannot be had.
pub fn serve(root: &Path, port: u16) -> Result<Exit, Failure> {
    let root = fs::canonicalize(root).map_err(|error| {
        Failure::bad_input(format!(
            "the store {} cannot be read: {error}",
            root.display()
        ))
    })?;
    let in_use = |error| {
        Failure::bad_input(format!(
            "port {port} cannot be had ({error}); --port 0 takes a free one"
        ))
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(in_use)?;
    let address = listener.local_addr().map_err(in_use)?;
    console::result(&format!("http://{address}/\n"));
    for stream in listener.incoming().flatten() {
        // A browser that goes away or sends nonsense is its own problem.
        let _ended = answer(stream, &root);
    }
    Ok(Exit::Held)
}

fn answer(mut stream: TcpStream, root: &Path) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(Read::by_ref(&mut stream).take(REQUEST_BYTES_MAX)).read_line(&mut line)?;
    let wanted = line
        .strip_prefix("GET /")
        .and_then(|rest| rest.split([' ', '?']).next());
    let Some(path) = wanted.and_then(|wanted| inside(root, wanted)) else {
        return reply(&mut stream, "404 Not Found", "text/plain", b"not here\n");
    };
    if path.is_dir() {
        let page = listing(&path)?;
        return reply(
            &mut stream,
            "200 OK",
            "text/html; charset=utf-8",
            page.as_bytes(),
        );
    }
    let kind = match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("json" | "jsonl" | "log" | "conf") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    };
    reply(&mut stream, "200 OK", kind, &fs::read(&path)?)
}

/// The file a request means, if it is within the store.
fn inside(root: &Path, wanted: &str) -> Option<PathBuf> {
    let path = fs::canonicalize(root.join(wanted.trim_start_matches('/'))).ok()?;
    path.starts_with(root).then_some(path)
}

fn listing(folder: &Path) -> std::io::Result<String> {
    let mut names: Vec<String> = fs::read_dir(folder)?
        .flatten()
        .map(|entry| {
            let slash = if entry.path().is_dir() { "/" } else { "" };
            format!("{}{slash}", entry.file_name().to_string_lossy())
        })
        .collect();
    names.sort_by(|a, b| b.cmp(a));
    let rows: Vec<String> = names
        .iter()
        .map(|name| format!("<li><a href=\"{0}\">{0}</a></li>", escaped(name)))
        .collect();
    Ok(format!(
        "<!doctype html><meta charset=\"utf-8\"><ul>{}</ul>\n",
        rows.concat()
    ))
}

fn reply(stream: &mut TcpStream, status: &str, kind: &str, body: &[u8]) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)
}

const PATIENCE: Duration = Duration::from_secs(5);
const REQUEST_BYTES_MAX: u64 = 8_192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_the_store_is_served() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::write(root.join("report.html"), "x").unwrap();
        assert!(inside(&root, "report.html").is_some());
        assert!(inside(&root, "../").is_none());
        assert!(inside(&root, "/etc/passwd").is_none());
    }
}
