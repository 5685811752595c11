//! Outlines: a node says whether it would say the same again, without saying it.

use super::rig::Rig;
use crate::cluster::Outline;

#[test]
fn an_outline_is_shown_for_exactly_as_long_as_a_new_one_would_be_the_same() {
    let mut rig = Rig::cluster(3, 1);
    let mut said: Vec<Vec<Outline>> = vec![Vec::new(); rig.hosts.len()];
    let mut looks = [0; 2];
    for step in 0..120 {
        match step {
            20 => rig.kill(0),
            70 => rig.start(0),
            90 => {
                let open = format!("CLUSTER SETSLOT 6000 MIGRATING {}", rig.id(2));
                rig.run(1, &open);
            }
            _ => {}
        }
        rig.run_for(100);
        for (host, said) in rig.hosts.iter().zip(&mut said) {
            let Some(cluster) = &host.cluster else {
                // Those of another life are not asked for.
                said.clear();
                continue;
            };
            let now = cluster.outline();
            for old in said.iter_mut() {
                let again = Outline {
                    table_changes: now.table_changes,
                    ..old.clone()
                };
                assert_eq!(cluster.shows(old), again == now, "{old:?} and {now:?}");
                looks[usize::from(again == now)] += 1;
            }
            said.push(now);
        }
    }
    let [others, same] = looks;
    assert!(others > 1000 && same > 1000, "{others} and {same}");
}
