//! Paths show the first difference of two histories, and nothing else.

use alloy_primitives::B256;
use turnpike_protocol::{History, HistoryPath};
use turnpike_random::Rng;

fn leaf(value: u64) -> B256 {
    B256::left_padding_from(&value.to_be_bytes())
}

/// Two histories that differ first at a random leaf.
fn pair(random: &mut Rng) -> (History, History, u64) {
    let positions = 2 + random.between(0, 62);
    let first = random.between(0, positions);
    let x: Vec<_> = (0..positions).map(|_| leaf(random.between(0, 3))).collect();
    let mut y = x.clone();
    for at in first..positions {
        if at == first || random.between(0, 2) == 0 {
            y[usize::try_from(at).expect("few")] = leaf(3 + random.between(0, 3));
        }
    }
    (History::new(&x), History::new(&y), first)
}

#[test]
fn path_is_accepted_for_the_first_difference_alone() {
    let mut random = Rng::new(1);
    for _ in 0..2_000 {
        let (x, y, first) = pair(&mut random);
        let roots = [x.root(), y.root()];
        assert_eq!(x.first_difference(&y), Some(first));
        for depth in 0..=x.depth() {
            let path = HistoryPath::between(&x, &y, depth).expect("they differ");
            assert_eq!(path.index, first >> (x.depth() - depth));
            assert!(path.words.len() <= 2 * depth as usize);
            let inner = path.check(roots).expect("leads to the roots");
            assert_eq!((inner.len(), inner[0]), (depth as usize + 1, roots));
            // Another index, with any of the nodes, has no such words.
            for index in (0..1 << depth).filter(|index| *index != path.index) {
                let nodes = [x.node(depth, index), y.node(depth, index)];
                assert!(HistoryPath { index, nodes, ..path.clone() }.check(roots).is_none());
            }
            let swapped = HistoryPath { nodes: [path.nodes[1], path.nodes[0]], ..path.clone() };
            assert!(swapped.check(roots).is_none() || depth == 0);
            let mut longer = path;
            longer.words.push(B256::ZERO);
            assert!(longer.check(roots).is_none());
        }
    }
}

#[test]
fn largest_history_takes_memory_by_its_runs() {
    let last = (1 << 28) - 1;
    let x = History::from_runs(&[(leaf(1), last), (leaf(2), 1)]);
    let y = History::from_runs(&[(leaf(1), last), (leaf(3), 1)]);
    assert_eq!((x.depth(), x.first_difference(&y)), (28, Some(last)));
    let path = HistoryPath::between(&x, &y, 28).expect("they differ");
    assert_eq!(path.words.len(), 28, "one word for each turn to the right");
    let z = History::from_runs(&[(leaf(4), 1), (leaf(1), last)]);
    let path = HistoryPath::between(&x, &z, 28).expect("they differ");
    assert_eq!((path.index, path.words.len()), (0, 56));
    assert!(path.check([x.root(), z.root()]).is_some());
}

#[test]
fn leaves_past_the_end_repeat_the_last_one() {
    let history = History::new(&[leaf(1), leaf(2), leaf(3)]);
    assert_eq!((history.depth(), history.positions()), (2, 3));
    assert_eq!(history.leaf(3), leaf(3));
    assert_eq!(History::new(&[leaf(1)]).depth(), 1, "a single block has two leaves");
}
