//! Data: whose they are when a replica goes to another shard.

use super::{cluster, told};
use crate::cluster::Effect;

/// Proves EL-04 for who changes shards: it has no data of its new master before the first sync,
/// however fresh those of the old one are.
#[test]
fn a_replica_that_changes_shards_has_no_data_to_stand_with() {
    let story = |profile: &str| {
        let mut rig = cluster(profile, 3, 1, 1000);
        let (old, new) = (rig.id(0), rig.id(1));
        let mut disowns = |master| {
            rig.hosts[3].effects.clear();
            rig.run(3, &format!("CLUSTER REPLICATE {master}"));
            let mut effects = rig.hosts[3].effects.iter();
            effects.any(|effect| matches!(effect, Effect::ForeignData))
        };
        [disowns(old), disowns(new)]
    };
    let shown = told(story);
    assert_eq!(shown.upstream, [false, false]);
    assert_eq!(shown.default, [false, true], "its own master is no news");
}
