//! A property of one's own, in ten lines; shown in `docs/properties.md`.

use proptest::prelude::*;
use slotquake_tests::properties::{config, plans, play};

proptest! {
    #![proptest_config(config(8))]
    #[test]
    fn a_cluster_left_alone_holds_no_election(tale in plans()) {
        let run = play(&tale.in_peace());
        prop_assert_eq!(run.coverage().elections, 0);
        run.keeps("HI-01")?;
    }
}

/// What the page shows is what was just compiled.
#[test]
fn the_page_shows_this_file() {
    let (page, file) = (
        include_str!("../docs/properties.md"),
        include_str!("properties_example.rs"),
    );
    let begins = file.find("use proptest").expect("the imports");
    let ends = file.find("\n/// What the page shows").expect("this test");
    assert!(
        page.contains(&file[begins..ends]),
        "docs/properties.md is out of date"
    );
}
