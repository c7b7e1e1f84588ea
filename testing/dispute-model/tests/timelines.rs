//! A match has one loser at most, whenever it is asked for.

use std::collections::BTreeSet;

use turnpike_protocol::{MatchProgress, MatchSide, Rival, match_progress};
use turnpike_random::Rng;

const REVEALS: usize = 3;

fn side(random: &mut Rng) -> MatchSide {
    let reveal = |_| (random.between(0, 10) > 0).then(|| random.between(0, 12));
    let revealed = (0..REVEALS).map(reveal).collect();
    MatchSide { since: random.between(0, 3), left: random.between(0, 16), revealed }
}

/// The same side as it is known at a time.
fn known(side: &MatchSide, now: u64) -> MatchSide {
    let revealed = side.revealed.iter().map(|at| at.filter(|at| *at <= now)).collect();
    MatchSide { revealed, ..side.clone() }
}

#[test]
fn one_side_fails_at_most_and_later_reveals_change_nothing() {
    let mut random = Rng::new(2);
    let (mut failed, mut complete) = (0, 0);
    for _ in 0..20_000 {
        let sides = [side(&mut random), side(&mut random)];
        let mut seen = BTreeSet::new();
        for now in 0..60 {
            let known = [known(&sides[0], now), known(&sides[1], now)];
            match match_progress(1, [&known[0], &known[1]], now) {
                MatchProgress::Failed { rival, limit, .. } => {
                    assert!(now > limit, "{sides:?} at {now}");
                    seen.insert((rival, limit));
                }
                MatchProgress::Waiting { .. } => assert!(seen.is_empty(), "{sides:?} at {now}"),
                MatchProgress::Revealed { .. } => {
                    assert!(seen.is_empty(), "{sides:?} at {now}");
                    complete += 1;
                }
            }
        }
        assert!(seen.len() <= 1, "{sides:?}: {seen:?}");
        failed += seen.len();
    }
    assert!(failed > 1_000 && complete > 1_000, "{failed} {complete}");
}

#[test]
fn side_that_reveals_within_its_clock_never_fails() {
    let mut random = Rng::new(3);
    for _ in 0..5_000 {
        let other = side(&mut random);
        // x follows every reveal of y at once, within the increment.
        let x_left = random.between(0, 8);
        for now in 0..60 {
            let other = known(&other, now);
            let mut at = 3;
            let revealed = other.revealed.iter().map(|it| {
                let own = at;
                at = at.max(it.unwrap_or(u64::MAX));
                (own <= now).then_some(own)
            });
            let x = MatchSide { since: 3, left: x_left, revealed: revealed.collect() };
            let found = match_progress(2, [&x, &other], now);
            assert!(
                !matches!(found, MatchProgress::Failed { rival: Rival::X, .. }),
                "{x:?} {other:?} {now}"
            );
        }
    }
}
