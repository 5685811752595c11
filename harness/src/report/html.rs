//! The report as one self-contained page: no network, works from `file://`, prints.
//!
//! Words and tables are plain HTML and need no script; the film is drawn by `page.js` from the
//! embedded data. Everything that came from outside is escaped here, at the edge.

use std::fmt::Write;

use slotquake_checkers::judge::Check;
use slotquake_checkers::verdict::{Violation, Word};

use super::junit::escaped;
use super::ledger::Loss;
use super::model::Model;
use super::spacetime::{Subject, svg};
use super::words::{grouped, seconds};

/// The page.
pub fn html(model: &Model) -> String {
    let mut page = String::with_capacity(512 * 1024);
    head(&mut page, model);
    strip(&mut page, model);
    film(&mut page);
    diagram(&mut page, model);
    stories(&mut page, model);
    checks(&mut page, &model.checks);
    ledger(&mut page, model);
    outages(&mut page, model);
    divergences(&mut page, model);
    facts(&mut page, model);
    tail(&mut page, model);
    page
}

fn head(page: &mut String, model: &Model) {
    push(
        page,
        format_args!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\">\
             <link rel=\"icon\" href=\"data:,\">\
             <title>{}: {}</title><style>{}</style><script>{ERROR_TRAP}</script></head>\
             <body><main>\n",
            word_name(model.word),
            escaped(&model.subject),
            include_str!("page.css"),
        ),
    );
}

fn strip(page: &mut String, model: &Model) {
    let word = word_name(model.word);
    push(
        page,
        format_args!(
            "<section class=\"strip {word}\"><h1>\
             <span class=\"word {word}\">{word}</span> — {}</h1>\
             <p>{}</p>",
            escaped(&model.sentence),
            escaped(&model.subject),
        ),
    );
    if let Some(trouble) = &model.trouble {
        push(
            page,
            format_args!(
                "<p class=\"word violated\">The harness stumbled: {}. \
                 What was recorded until then is judged here.</p>",
                escaped(trouble)
            ),
        );
    }
    if let Some(command) = &model.command {
        push(page, format_args!("<pre>{}</pre>", escaped(command)));
    }
    page.push_str("<p class=\"chips\">");
    for check in &model.checks {
        push(
            page,
            format_args!(
                "<a class=\"chip {}\" href=\"#checks\" title=\"{}\">{} {}</a>",
                word_name(check.verdict),
                escaped(&check.title),
                escaped(&check.id),
                word_name(check.verdict),
            ),
        );
    }
    page.push_str("</p></section>\n");
    figures(page, model);
}

fn figures(page: &mut String, model: &Model) {
    let c = &model.coverage;
    let figures = [
        ("operations ok", c.ok_ops),
        ("failed", c.failed_ops),
        ("unknown", c.indeterminate_ops),
        ("redirected", c.redirects),
        ("stalled", c.stalled_ops),
        ("faults installed", c.faults_installed),
        ("faults skipped", c.faults_skipped),
        ("indeterminate", c.faults_indeterminate),
        ("elections", c.elections),
        ("votes", c.votes),
        ("promotions", c.promotions),
        ("crashes", c.crashes),
        ("lost in windows", c.losses_inside_windows),
        ("lost outside", c.losses_outside_windows),
    ];
    page.push_str("<dl class=\"figures\">");
    for (name, count) in figures {
        push(
            page,
            format_args!("<div><dt>{name}</dt><dd>{}</dd></div>", grouped(count)),
        );
    }
    page.push_str("</dl>\n");
}

fn film(page: &mut String) {
    page.push_str(
        "<h2 id=\"time\">What happened</h2><div class=\"legend\">\
         <span><svg width=\"14\" height=\"12\"><circle cx=\"7\" cy=\"6\" r=\"3\" \
         fill=\"var(--ok)\"/></svg>ok</span>\
         <span><svg width=\"14\" height=\"12\"><path d=\"M3 2l8 8m0-8l-8 8\" \
         stroke=\"var(--fail)\" stroke-width=\"2\"/></svg>failed: it did not happen</span>\
         <span><svg width=\"14\" height=\"12\"><circle cx=\"7\" cy=\"6\" r=\"4\" fill=\"none\" \
         stroke=\"var(--info)\" stroke-width=\"2\"/></svg>unknown: a timeout or a broken \
         connection</span></div>\
         <div class=\"tools\"><button id=\"all\" type=\"button\">Whole run</button>\
         <span id=\"range\"></span><span class=\"soft\">Drag to zoom, double click to reset, \
         hover for details.</span></div>\
         <div id=\"film\"><div id=\"tip\"></div><noscript>The film needs scripts; everything \
         else on this page does not.</noscript></div>\n",
    );
}

fn diagram(page: &mut String, model: &Model) {
    let Some(diagram) = &model.diagram else {
        return;
    };
    push(
        page,
        format_args!(
            "<h2 id=\"diagram\">Who said what to whom</h2><p>Around the breach of {}: {}</p>\
             <div class=\"legend\">",
            escaped(&diagram.breach.clause),
            escaped(&diagram.breach.message),
        ),
    );
    for subject in Subject::ALL {
        push(
            page,
            format_args!(
                "<span><svg class=\"key\" width=\"22\" height=\"12\">\
                 <path class=\"arrow {}\" d=\"M1 6h20\"/></svg>{}</span>",
                subject.class(),
                subject.name()
            ),
        );
    }
    push(
        page,
        format_args!("</div><div id=\"spacetime\">{}</div>\n", svg(diagram)),
    );
}

fn stories(page: &mut String, model: &Model) {
    let violations = model.violations();
    if violations.is_empty() {
        return;
    }
    push(
        page,
        format_args!(
            "<h2 id=\"violations\">What broke ({})</h2>",
            violations.len()
        ),
    );
    for violation in violations.iter().take(STORIES_MAX) {
        story(page, violation);
    }
    let hidden = violations.len().saturating_sub(STORIES_MAX);
    if hidden > 0 {
        push(page, format_args!("<p>{hidden} more in verdict.json.</p>"));
    }
}

fn story(page: &mut String, violation: &Violation) {
    let (class, known) = match &violation.known {
        None => ("", String::new()),
        Some(why) => (
            " known",
            format!(
                "<p class=\"weakness\">Known upstream weakness: {}</p>",
                escaped(why)
            ),
        ),
    };
    let steps = &violation.witness.steps;
    let times = || steps.iter().map(|step| step.time).chain([violation.time]);
    let (first, last) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
    push(
        page,
        format_args!(
            "<article class=\"story{class}\"><h3>{} <a href=\"{}\">at {} s</a></h3>\
             <p>{}</p>{known}<ol>",
            escaped(&violation.clause),
            film_link(first, last),
            seconds(violation.time),
            escaped(&violation.message),
        ),
    );
    for step in steps.iter().take(STEPS_MAX) {
        push(
            page,
            format_args!(
                "<li><a class=\"when\" href=\"{}\">{} s</a><b>{}</b><span>{}</span></li>",
                film_link(step.time, step.time),
                seconds(step.time),
                escaped(&step.who),
                escaped(&step.what),
            ),
        );
    }
    page.push_str("</ol></article>\n");
}

/// A link that moves the film to a stretch of time, with a margin.
fn film_link(from: u64, to: u64) -> String {
    let margin = ((to - from) / 5).max(LINK_MARGIN_NS);
    format!(
        "#t={}-{}",
        seconds(from.saturating_sub(margin)),
        seconds(to + margin)
    )
}

fn checks(page: &mut String, checks: &[Check]) {
    page.push_str(
        "<h2 id=\"checks\">Checks</h2><div class=\"scroll\"><table><thead><tr><th>check</th>\
         <th>verdict</th><th class=\"number\">examined</th><th>what it says</th><th>remarks</th>\
         </tr></thead><tbody>",
    );
    for check in checks {
        let word = word_name(check.verdict);
        let remarks = match check.violations.len() {
            0 => check.why.clone(),
            1 => format!("1 violation. {}", check.why),
            count => format!("{count} violations. {}", check.why),
        };
        push(
            page,
            format_args!(
                "<tr><td class=\"id\"><b>{}</b></td><td class=\"word {word}\">{word}</td>\
                 <td class=\"number\">{}</td><td>{}</td><td>{}</td></tr>",
                escaped(&check.id),
                grouped(check.examined),
                escaped(&check.title),
                escaped(&remarks),
            ),
        );
    }
    page.push_str("</tbody></table></div>\n");
}

fn ledger(page: &mut String, model: &Model) {
    let ledger = &model.ledger;
    if ledger.examined == 0 {
        return;
    }
    push(
        page,
        format_args!(
            "<h2 id=\"losses\">Lost writes</h2><p>{} of {} acknowledged set additions were missing \
             when all keys were read at the end. Redis Cluster replicates asynchronously: losses \
             around a failover are documented behaviour, others are violations above.</p>",
            grouped(ledger.losses.len() as u64),
            grouped(ledger.examined),
        ),
    );
    if ledger.losses.is_empty() {
        return;
    }
    let (shown, more) = ledger
        .losses
        .split_at(ledger.losses.len().min(LOSSES_SHOWN));
    loss_table(page, shown);
    if !more.is_empty() {
        push(
            page,
            format_args!(
                "<details><summary>{} more</summary>",
                grouped(more.len() as u64)
            ),
        );
        loss_table(page, &more[..more.len().min(LOSSES_MAX)]);
        page.push_str("</details>\n");
    }
}

fn loss_table(page: &mut String, losses: &[Loss]) {
    page.push_str(
        "<div class=\"scroll\"><table><thead><tr><th class=\"number\">value</th><th>key</th>\
         <th class=\"number\">slot</th><th>acknowledged by</th><th class=\"number\">at</th>\
         <th>documented window</th><th>near</th><th class=\"number\">operation</th></tr></thead>\
         <tbody>",
    );
    for loss in losses {
        let window = match loss.window {
            Some((clause, name)) => format!("<b>{clause}</b> {}", escaped(name)),
            None => "<span class=\"word violated\">none: a violation</span>".to_string(),
        };
        push(
            page,
            format_args!(
                "<tr><td class=\"number\">{}</td><td>{}</td><td class=\"number\">{}</td><td>{}</td>\
                 <td class=\"number\"><a href=\"{}\">{} s</a></td><td>{window}</td><td>{}</td>\
                 <td class=\"number\">{}</td></tr>",
                escaped(&loss.value),
                escaped(&loss.key),
                loss.slot,
                escaped(&loss.node),
                film_link(loss.invoked, loss.acknowledged),
                seconds(loss.acknowledged),
                escaped(&loss.near),
                loss.index,
            ),
        );
    }
    page.push_str("</tbody></table></div>\n");
}

fn outages(page: &mut String, model: &Model) {
    if model.outages.is_empty() {
        return;
    }
    page.push_str(
        "<h2 id=\"outages\">Outages</h2><p>Stretches of at least half a second in which no \
         operation on a range of slots ended ok although some were tried.</p>\
         <table><thead><tr><th>slots</th><th class=\"number\">lasted</th><th class=\"number\">from\
         </th><th>operations not ok</th><th>why</th></tr></thead><tbody>",
    );
    for outage in &model.outages {
        push(
            page,
            format_args!(
                "<tr><td>{}</td><td class=\"number\">{} s</td>\
                 <td class=\"number\"><a href=\"{}\">{} s</a></td>\
                 <td>{}</td><td>{}</td></tr>",
                outage.slots(),
                seconds(outage.lasted),
                film_link(outage.from, outage.to),
                seconds(outage.from),
                escaped(&outage.errors_told()),
                escaped(&outage.cause_told()),
            ),
        );
    }
    page.push_str("</tbody></table>\n");
}

fn divergences(page: &mut String, model: &Model) {
    let film = &model.film;
    if film.divergences.is_empty() {
        return;
    }
    page.push_str(
        "<h2 id=\"views\">Differing views</h2><details><summary>When nodes believed different \
         owners of slots</summary><div class=\"scroll\"><table><thead><tr><th class=\"number\">\
         from</th><th class=\"number\">lasted</th><th>who believed what</th></tr></thead><tbody>",
    );
    for stretch in &film.divergences {
        let (from, to) = (stretch.from.0 * 100_000, stretch.to.0 * 100_000);
        push(
            page,
            format_args!(
                "<tr><td class=\"number\"><a href=\"{}\">{} s</a></td>\
                 <td class=\"number\">{} s</td><td>",
                film_link(from, to),
                seconds(from),
                seconds(to - from)
            ),
        );
        for (nodes, belief) in &stretch.camps {
            let names: Vec<&str> = nodes
                .iter()
                .filter_map(|node| film.nodes.get(*node))
                .map(|node| node.name.as_str())
                .collect();
            push(
                page,
                format_args!(
                    "<p><b>{}</b>: {}</p>",
                    escaped(&names.join(", ")),
                    escaped(belief)
                ),
            );
        }
        page.push_str("</td></tr>");
    }
    page.push_str("</tbody></table></div></details>\n");
}

fn facts(page: &mut String, model: &Model) {
    page.push_str("<h2 id=\"run\">The run</h2><table><tbody>");
    for (name, text) in &model.facts {
        push(
            page,
            format_args!("<tr><th>{name}</th><td>{}</td></tr>", escaped(text)),
        );
    }
    page.push_str("</tbody></table>\n");
}

fn tail(page: &mut String, model: &Model) {
    let data = serde_json::to_string(&model.film).expect("the film has only plain fields");
    push(
        page,
        format_args!(
            "</main><script type=\"application/json\" id=\"film-data\">{}</script>\
             <script>{}</script></body></html>\n",
            data.replace('<', "\\u003c"),
            include_str!("page.js"),
        ),
    );
}

/// The word as it is printed and as a class of the style sheet.
pub fn word_name(word: Word) -> &'static str {
    match word {
        Word::Held => "held",
        Word::Known => "known",
        Word::Undecided => "undecided",
        Word::Violated => "violated",
    }
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text)
        .expect("writing to a string cannot fail");
}

/// Leaves the first script error on the root element, for people who open the page and for tests.
const ERROR_TRAP: &str =
    "window.onerror=(m,u,l)=>{document.documentElement.dataset.error=m+' at line '+l}";
const STORIES_MAX: usize = 100;
const STEPS_MAX: usize = 60;
const LOSSES_SHOWN: usize = 20;
const LOSSES_MAX: usize = 2_000;
const LINK_MARGIN_NS: u64 = 250_000_000;
