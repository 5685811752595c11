//! The report, opened in a real browser: it renders without script errors and says what it must.
//!
//! Set `SLOTQUAKE_PICTURE` to a file name to get a picture of the sample report.

use slotquake::report::spacetime::Subject;
use slotquake::report::{About, Model, html, junit, text};
use slotquake_checkers::availability::coverage::Coverage;
use slotquake_checkers::judge::{Check, Judgement, Timing};
use slotquake_checkers::verdict::{Violation, Word};
use slotquake_checkers::witness::Witness;
use slotquake_tests::{browser, sample};

fn judged() -> Judgement {
    let witness = Witness::default()
        .step(16_800_000_000, "n5", "asks for votes in epoch 8")
        .step(16_803_000_000, "n3", "votes for n5 in epoch 8")
        .step(16_950_000_000, "n3", "votes for n2 in epoch 8 <b>again</b>");
    let broken = Violation {
        clause: "VT-01".into(),
        time: 16_950_000_000,
        message: "n3 voted twice in epoch 8: for n5 and for n2".into(),
        witness,
        known: None,
    };
    let line = |id: &str, title: &str, word, examined, violations| Check {
        id: id.into(),
        title: title.into(),
        verdict: word,
        examined,
        why: String::new(),
        violations,
    };
    Judgement {
        verdict: Word::Violated,
        why: String::new(),
        target: None,
        profile: None,
        seed: None,
        trace_hash: None,
        coverage: Coverage {
            elections: 2,
            faults_installed: 3,
            ..Coverage::default()
        },
        timing: Timing::default(),
        checks: vec![
            line(
                "CE-01",
                "A node's currentEpoch never decreases.",
                Word::Held,
                1_800,
                vec![],
            ),
            line(
                "VT-01",
                "A node votes once in an epoch.",
                Word::Violated,
                4,
                vec![broken],
            ),
            line(
                "ST-06",
                "All views agree after the heal.",
                Word::Held,
                360,
                vec![],
            ),
        ],
    }
}

fn model() -> Model {
    Model::build(&sample::failover(), &judged(), About::default())
}

#[test]
fn the_page_renders_in_a_browser_without_script_errors() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    let markup = html::html(&model());
    assert!(
        markup.len() < 5_000_000,
        "the page is bounded: {} bytes",
        markup.len()
    );
    std::fs::write(&page, &markup).unwrap();
    if let Some(picture) = std::env::var_os("SLOTQUAKE_PICTURE") {
        browser::picture_of(&page, picture.as_ref(), (1_280, 2_600));
    }
    let dom = browser::dom_of(&page);
    let root = dom.split_once("<head>").expect("a document has a head").0;
    assert!(!root.contains("data-error"), "a script failed: {root}");
    assert!(
        root.contains("data-rendered=\"ok\""),
        "the film was drawn: {root}"
    );
    for words in [
        "Latency",
        "Throughput",
        "n4 e7",
        "isolate n2",
        "n3 voted twice in epoch 8",
    ] {
        assert!(dom.contains(words), "{words:?} is not on the page");
    }
}

#[test]
fn the_diagram_shows_who_voted_for_whom_around_the_breach() {
    let model = model();
    let diagram = model.diagram.as_ref().expect("something broke");
    assert_eq!(
        (diagram.breach.clause.as_str(), diagram.left_out),
        ("VT-01", 0)
    );
    assert!((diagram.from..=diagram.to).contains(&16_950_000_000));
    let votes = diagram
        .messages
        .iter()
        .filter(|message| message.subject == Subject::Vote);
    let to_n5 = votes.filter(|message| message.to == 4).count();
    assert_eq!(to_n5, 2, "{:?}", diagram.messages);
    let markup = html::html(&model);
    let drawn = markup
        .split("id=\"spacetime\"")
        .nth(1)
        .expect("it is on the page");
    for words in [
        "votes for epoch 8?",
        "yes, epoch 8",
        "master, epoch 8",
        "breaks VT-01",
    ] {
        assert!(drawn.contains(words), "{words:?} is not drawn");
    }
}

#[test]
fn a_run_in_which_nothing_broke_has_no_diagram() {
    let mut held = judged();
    held.checks.retain(|check| check.verdict == Word::Held);
    let model = Model::build(&sample::failover(), &held, About::default());
    assert!(model.diagram.is_none());
    assert!(!html::html(&model).contains("id=\"spacetime\""));
}

#[test]
fn a_link_into_the_film_shows_that_stretch_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    std::fs::write(&page, html::html(&model())).unwrap();
    let dom = browser::dom_of_part(&page, "t=16.000-18.000");
    assert!(dom.contains("16.000 s to 18.000 s"), "the film is zoomed");
    assert!(!dom.contains("data-error"), "a script failed");
}

#[test]
fn the_page_is_bounded_however_long_the_run() {
    let mut recording = sample::failover();
    let one = recording.events.clone();
    for _ in 0..25 {
        recording.events.unpacked().extend(one.iter());
    }
    let model = Model::build(&recording, &judged(), About::default());
    assert!(model.film.points.operations > 150_000);
    let bytes = html::html(&model).len();
    assert!(bytes < 5_000_000, "{bytes} bytes");
}

#[test]
fn nothing_from_outside_becomes_markup() {
    let markup = html::html(&model());
    assert!(
        !markup.contains("<b>again</b>"),
        "a step of a witness is escaped"
    );
    assert!(
        !markup.contains("<master>"),
        "a note in the film's data is escaped"
    );
}

#[test]
fn the_page_asks_the_network_for_nothing() {
    let markup = html::html(&model());
    for asking in ["http://", "https://", "src=", "@import", "url(//"] {
        assert!(!markup.contains(asking), "{asking} is on the page");
    }
}

#[test]
fn the_ledger_names_the_acknowledged_writes_that_are_gone() {
    let model = model();
    assert!(!model.ledger.losses.is_empty(), "the sample loses writes");
    for loss in &model.ledger.losses {
        assert_eq!((loss.node.as_str(), loss.key.as_str()), ("n2", "c"));
        assert!(
            loss.near.contains("isolate n2"),
            "the cut is named: {}",
            loss.near
        );
    }
}

#[test]
fn elections_are_drawn_with_their_votes_and_promotions() {
    let film = model().film;
    let drawn: Vec<(usize, u64, usize, bool)> = film
        .elections
        .iter()
        .map(|one| {
            (
                one.candidate,
                one.epoch,
                one.votes.len(),
                one.promoted.is_some(),
            )
        })
        .collect();
    assert_eq!(drawn, [(3, 7, 2, true), (4, 8, 2, true)]);
}

#[test]
fn every_slot_has_an_owner_from_the_beginning() {
    let film = model().film;
    let first: u32 = film
        .cells
        .iter()
        .filter(|cell| cell.from.0 < 1_000)
        .map(|cell| u32::from(cell.last - cell.first) + 1)
        .sum();
    assert_eq!(first, 16_384);
}

#[test]
fn the_terminal_shows_word_check_and_story_on_one_screen() {
    let text = text::verdict_text(&model(), text::Paint::Plain);
    for words in ["VIOLATED", "VT-01", "votes for n5 in epoch 8", "2 asked"] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
    assert!(text.lines().count() <= 45, "one screen:\n{text}");
    assert!(!text.contains('\x1b'), "plain text has no colours");
}

#[test]
fn junit_names_the_broken_check_as_a_failure() {
    let model = model();
    let xml = junit::junit(&[&model]);
    assert!(
        xml.contains("tests=\"3\" failures=\"1\" errors=\"0\""),
        "{xml}"
    );
    assert!(
        xml.contains("votes for n2 in epoch 8 &lt;b&gt;again&lt;/b&gt;"),
        "{xml}"
    );
}

#[test]
fn an_outage_names_its_errors_its_fault_and_the_failover_that_ended_it() {
    let model = model();
    let outages = &model.outages;
    assert_eq!(outages.len(), 2, "{outages:?}");
    let killed = &outages[0];
    assert_eq!(
        (killed.slots().as_str(), killed.lasted / 100_000_000),
        ("0-5460", 20)
    );
    assert_eq!(killed.errors.get("CLUSTERDOWN"), Some(&killed.missed));
    let told = killed.cause_told();
    for step in [
        "kill n1 (master of 0-5460) at 5.000 s; n1 marked FAIL at 6.400 s by n2; ",
        "; n4 asked for votes at 6.700 s and was elected at 7.0",
        " s with epoch 7; first success at 7.0",
        ", by n4",
    ] {
        assert!(told.contains(step), "{step:?} is not in {told:?}");
    }
    let cut = outages[1].cause_told();
    assert!(
        cut.starts_with("isolate n2 (master of 5461-10922) at 15.000 s"),
        "{cut}"
    );
    assert!(cut.ends_with(", by n5"), "{cut}");

    let (page, text) = (
        html::html(&model),
        text::verdict_text(&model, text::Paint::Plain),
    );
    assert!(text.contains(&told), "{text}");
    assert!(
        page.contains(&told) && page.contains(&cut),
        "both are on the page"
    );
    let json = serde_json::to_value(&killed.cause).unwrap();
    assert_eq!(json["faults"][0]["nodes"][0], "n1");
    assert_eq!(json["marked"]["by"], "n2");
    assert_eq!(json["election"]["candidate"], "n4");
    assert_eq!(json["over"]["taken-over"]["by"], "n4");
}

#[test]
fn an_outage_without_a_fault_says_so() {
    let mut recording = sample::failover();
    recording.faults.clear();
    let model = Model::build(&recording, &judged(), About::default());
    let told = model.outages[0].cause_told();
    assert!(
        told.starts_with("no fault of ours was in force; n1 marked FAIL"),
        "{told}"
    );
}
