//! Every mutant of the node, one line each: the variant, its name, its mistake.
//!
//! A name that is a clause's id switches the rules of that clause off; see [`super`].

use super::{Area, Seeded};

macro_rules! mutants {
    ($($area:ident { $($mutant:ident $name:literal $help:literal)* })*) => {
        /// A seeded bug of the node.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the registry says what each is")]
        pub enum Mutant { $($($mutant,)*)* }

        /// All of them, in the order of the enum.
        pub const MUTANTS: &[Seeded] = &[$($(Seeded {
            mutant: Mutant::$mutant,
            name: $name,
            area: Area::$area,
            help: $help,
        },)*)*];
    };
}

mutants! {
    Votes {
        AnybodyVotes "VO-01" "replicas and masters without slots vote too"
        OldEpochsGetVotes "VO-02" "a request of an epoch that is over gets a vote"
        VotesAreNotSpaced "VO-05" "votes for replicas of one master follow each other at once"
        StaleClaimsGetVotes "VO-06" "a replica of an outdated owner gets a vote"
        VotePerShard "vote-per-shard" "one vote for each shard in an epoch, not one for all"
        VoteNotNoted "vote-not-noted" "a vote given does not count as the epoch's one vote"
        VotesAgainstWorkingMaster "votes-against-working-master"
            "the voter does not look whether the candidate's master failed"
        CountsItself "counts-itself" "a candidate counts itself among the voters"
        EpochReused "epoch-reused" "an election takes the present epoch, not the next one"
        PromotedAtOldEpoch "promoted-at-old-epoch" "who wins keeps its master's configEpoch"
        EpochNotAdopted "epoch-not-adopted" "the clock does not follow a larger currentEpoch"
        StandsForWorkingMaster "stands-for-working-master"
            "a replica stands for election as soon as its master is suspected"
        NeverStands "never-stands" "no replica ever stands for election by itself"
        NoElectionDelay "no-election-delay" "a replica asks for votes the moment its master fails"
        RankIgnored "rank-ignored" "a replica with older data waits no longer than the others"
        RetriesTooSoon "retries-too-soon" "the next attempt comes after a quarter of its time"
        OldDataStands "EL-03" "a replica stands however old its data is"
        CollisionStays "collision-stays" "two masters of one configEpoch leave it at that"
        CollisionMovesLarger "collision-moves-larger"
            "of two masters with one configEpoch the one with the larger id moves"
        CollisionMovesBoth "collision-moves-both" "both masters of a collision move"
        VoteNotSynced "vote-not-synced" "a vote is written, but not synced, before it leaves"
        EpochNotSynced "epoch-not-synced"
            "the epoch of an election is not synced before votes are asked for"
        VictoryNotTold "victory-not-told" "who wins waits for its next heartbeats to say so"
        VotesKept "votes-kept" "the votes of a won election are kept for the next"
    }
    FailureDetection {
        SuspectsEarly "suspects-early" "a node is suspected after half the node timeout"
        SuspectsLate "suspects-late" "a node is suspected after three node timeouts"
        SuspectsByStream "suspects-by-stream"
            "a replica suspects a master whose replication stream is silent for the node timeout"
        SuspicionStays "suspicion-stays" "a PONG does not withdraw PFAIL"
        FailureStays "failure-stays" "a PONG does not clear FAIL of a master"
        FailureClearedAtOnce "FD-14" "FAIL of a master with slots is cleared by its first PONG"
        FailsByHalf "fails-by-half" "half of the masters is enough to mark FAIL"
        FailsWithoutQuorum "FD-08" "one report marks FAIL, without suspicion and quorum"
        ReplicasReport "replicas-report" "failure reports of replicas count"
        ReportsNeverExpire "reports-never-expire" "a failure report counts for ever"
        ReportsNotWithdrawn "reports-not-withdrawn"
            "a report stays when its author finds the node well"
        FailNotTold "fail-not-told" "who marks FAIL tells nobody"
        FailNotHeard "fail-not-heard" "a FAIL message is ignored"
        ForgetsForAMoment "forgets-for-a-moment"
            "a node that was forgotten is taken back from the next gossip"
        BelievesOwnFailure "believes-own-failure" "a node believes a FAIL message about itself"
        ProvisionalIdStays "provisional-id-stays"
            "a node that was met stays known by the id it was given for the time being"
        SuspectsNotTold "suspects-not-told" "heartbeats leave suspects out"
    }
    Claims {
        OlderClaimsWin "UP-05" "a claim takes a slot whatever its configEpoch"
        ReplicasClaim "replicas-claim" "the slots in a replica's header count as a claim of its own"
        SlotLeftBehind "slot-left-behind" "who is promoted forgets the last slot of its master"
        NotDemoted "not-demoted" "a master whose last slot is taken stays a master"
        ReplicaStaysBehind "replica-stays-behind"
            "a replica stays with its master when that becomes a replica"
        UpdateWithMyEpoch "update-with-my-epoch"
            "UPDATE carries the configEpoch of its sender, not of the owner"
        OldUpdatesBelieved "UP-13" "an UPDATE is believed however old it is"
        LostKeysStay "lost-keys-stay" "the keys of a slot that was lost are not deleted"
        UpdateNotSent "update-not-sent" "who claims what another owns by now is not told"
    }
    State {
        HalfIsEnough "half-is-enough" "half of the masters counts as a majority"
        QuorumOfReachable "quorum-of-reachable" "the quorum is taken of the reachable masters"
        SuspectsAreReachable "suspects-are-reachable" "only FAIL makes a master unreachable"
        CoverageIgnored "coverage-ignored" "slots without a working owner do not matter"
        BackAtOnce "back-at-once" "a master back from a minority serves at once"
        WritableAtOnce "writable-at-once" "a restarted master serves at once"
    }
    ManualFailover {
        WritesNotPaused "writes-not-paused" "the master goes on with writes while it is replaced"
        DoesNotCatchUp "does-not-catch-up" "the replica stands before it has its master's offset"
        PauseNotEnded "pause-not-ended" "the old master keeps its clients waiting"
        ManualWithoutEnd "manual-without-end" "a manual failover is never given up"
        AnyOffsetWillDo "any-offset-will-do"
            "the replica stands at an offset from before its master paused"
        TakeoverKeepsEpoch "takeover-keeps-epoch" "TAKEOVER takes no new epoch"
        AlwaysForced "always-forced" "every request for votes carries FORCEACK"
    }
    ReplicaMigration {
        LeavesNobody "leaves-nobody" "a replica moves although its master has no other to spare"
        MovesWhenDown "RM-03" "a replica moves while the state is fail"
        MovesTooSoon "RM-06" "a replica moves to a master that was orphaned just now"
        NeverMoves "never-moves" "no replica ever moves to an orphaned master"
    }
    SlotMigration {
        GivesAwayKeys "gives-away-keys"
            "SETSLOT NODE hands over a slot though keys of it are still here"
        OpenSlotsNotOnDisk "open-slots-not-on-disk"
            "the marks of open slots are not read back at the start"
        MigrateDropsOne "migrate-drops-one"
            "MIGRATE of several keys sends all but the last, and deletes them all"
    }
    Replication {
        OffsetNotTold "offset-not-told" "the headers of a replica show offset 0"
        AnyHistoryContinues "any-history-continues" "PSYNC does not compare the history's id"
        SecondIdWithoutEnd "second-id-without-end" "the second replication id is valid for ever"
        SnapshotOnTop "snapshot-on-top" "a snapshot is loaded on top of the old data"
        TransactionsNotSent "transactions-not-sent" "what EXEC did is not replicated"
        StreamNotApplied "stream-not-applied" "a replica counts the stream and skips its writes"
    }
    Persistence {
        VoteNotOnDisk "vote-not-on-disk" "lastVoteEpoch is not read back at the start"
        EpochNotOnDisk "epoch-not-on-disk" "currentEpoch is not read back at the start"
        ConfigEpochNotOnDisk "config-epoch-not-on-disk" "the own configEpoch starts at 0"
        RoleNotOnDisk "role-not-on-disk" "a replica starts as a master without slots"
        SlotNotOnDisk "slot-not-on-disk" "the last slot of a master is not read back"
        PromotionNotSaved "promotion-not-saved" "a promotion is told before it is on disk"
    }
    Redirections {
        ServesAll "RD-05" "a node serves slots of other nodes"
        ServesWhenDown "RD-06" "keys are served while the state is fail"
        ReadsWhenDown "reads-when-down" "reads are served while the state is fail"
        ReplicasServeReads "replicas-serve-reads" "a replica serves reads without READONLY"
        DemotedKeepsReaders "demoted-keeps-readers"
            "the clients of a master that is demoted may go on reading there"
        MovedToMyself "moved-to-myself" "MOVED names the node that answers"
        MovedToOwnMaster "moved-to-own-master" "a replica sends all clients to its own master"
        MovedOneOff "moved-one-off" "MOVED names the next slot"
        AsksForPresentKeys "SM-02" "a migrating slot sends clients away while the key is here"
        ImportsWithoutAsking "imports-without-asking" "an importing slot serves without ASKING"
        WaitersNotReleased "waiters-not-released"
            "who waits in BLPOP is not looked at when the slot or the state changes"
        ServesHalf "serves-half"
            "a migrating slot serves several keys with those that are still here"
        AsksForEverySlot "asks-for-every-slot"
            "while one slot migrates, missing keys of all slots are sent to its target"
        CreatesAtSource "SM-03" "missing keys are created at the source of a migration"
        AskingStays "asking-stays" "ASKING holds for all commands that follow"
        ReadwriteIgnored "readwrite-ignored" "READWRITE does not end READONLY"
        ReadonlyServesAll "readonly-serves-all"
            "a replica serves reads of other masters' slots after READONLY"
        MovedToBusPort "moved-to-bus-port" "MOVED names the port of the cluster bus"
        ImportKeepsEpoch "import-keeps-epoch" "who has imported a slot takes no new epoch"
        MigrateCopies "migrate-copies" "MIGRATE leaves the keys at the source"
    }
    Keyspace {
        ExpiresEarly "expires-early" "SET gives a key half of the time to live it was asked for"
        ExpiryNotReplicated "expiry-not-replicated" "replicas get SET without its time to live"
        RestoreDropsExpiry "restore-drops-expiry" "RESTORE gives a key no time to live"
        PopsFromTheEnd "pops-from-the-end" "LPOP takes the last element, not the first"
        DeliversTwice "delivers-twice" "each subscriber gets a message twice"
        ShardMessagesToAll "shard-messages-to-all" "SPUBLISH is passed on to every shard"
        MinReplicasIgnored "min-replicas-ignored"
            "writes are taken without the replicas that min-replicas-to-write asks for"
        ServesStaleData "serves-stale-data"
            "a replica without its master serves reads though replica-serve-stale-data is no"
        WaitCountsAll "wait-counts-all"
            "WAIT counts replicas that have not acknowledged the write"
    }
}
