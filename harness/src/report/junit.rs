//! The verdict as JUnit XML, for CI systems: one suite, one case for each check.

use std::fmt::Write;

use slotquake_checkers::judge::Check;
use slotquake_checkers::verdict::Word;

use super::model::Model;
use super::words::seconds;

/// The document. A violation is a failure, an undecided check an error, a known one is skipped.
pub fn junit(models: &[&Model]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for model in models {
        suite(&mut out, model);
    }
    out.push_str("</testsuites>\n");
    out
}

fn suite(out: &mut String, model: &Model) {
    let count = |word: Word| {
        model
            .checks
            .iter()
            .filter(|check| check.verdict == word)
            .count()
    };
    let trouble = usize::from(model.trouble.is_some());
    push(
        out,
        format_args!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n",
            escaped(&model.subject),
            model.checks.len() + trouble,
            count(Word::Violated),
            count(Word::Undecided) + trouble,
            count(Word::Known),
        ),
    );
    if let Some(command) = &model.command {
        push(
            out,
            format_args!(
                "    <properties><property name=\"replay\" value=\"{}\"/></properties>\n",
                escaped(command)
            ),
        );
    }
    if let Some(trouble) = &model.trouble {
        push(
            out,
            format_args!(
                "    <testcase name=\"harness\"><error message=\"{}\"/></testcase>\n",
                escaped(trouble)
            ),
        );
    }
    for check in &model.checks {
        case(out, check);
    }
    out.push_str("  </testsuite>\n");
}

fn case(out: &mut String, check: &Check) {
    let name = escaped(&format!("{}: {}", check.id, check.title));
    push(
        out,
        format_args!("    <testcase name=\"{name}\" classname=\"slotquake\">"),
    );
    let message = check
        .violations
        .first()
        .map_or(&check.why, |first| &first.message);
    let message = escaped(message);
    match check.verdict {
        Word::Held => {}
        Word::Known => push(out, format_args!("<skipped message=\"known: {message}\"/>")),
        Word::Undecided => push(
            out,
            format_args!("<error message=\"undecided: {message}\"/>"),
        ),
        Word::Violated => push(
            out,
            format_args!(
                "<failure message=\"{message}\">{}</failure>",
                escaped(&stories(check))
            ),
        ),
    }
    out.push_str("</testcase>\n");
}

fn stories(check: &Check) -> String {
    let mut text = String::new();
    for violation in check.violations.iter().take(20) {
        push(
            &mut text,
            format_args!("\n{}: {}\n", violation.clause, violation.message),
        );
        for step in violation.witness.steps.iter().take(40) {
            push(
                &mut text,
                format_args!("  {} s {}: {}\n", seconds(step.time), step.who, step.what),
            );
        }
    }
    text
}

/// Escapes for XML and HTML, in text and in quoted attributes; drops what XML 1.0 cannot hold.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(char),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ if char.is_control() => out.push('\u{fffd}'),
            _ => out.push(char),
        }
    }
    out
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_control_characters_are_escaped() {
        assert_eq!(
            escaped("a<b> & \"c\" 'd'\u{0}"),
            "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;\u{fffd}"
        );
    }
}
