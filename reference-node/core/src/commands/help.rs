//! The answers of HELP: the first line as upstream has it, then one line a form, without prose.

use crate::resp::Reply;

/// The help of a command, out of the forms of its subcommands.
pub fn of(command: &str, forms: &[&'static str]) -> Reply {
    let first = format!("{command} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    let mut lines = vec![Reply::Status(first)];
    lines.extend(forms.iter().copied().map(Reply::Simple));
    lines.push(Reply::Simple("HELP"));
    lines.push(Reply::Simple("    Print this help."));
    Reply::Array(lines)
}
