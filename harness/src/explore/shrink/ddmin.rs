//! Delta debugging of a list: drop large pieces first, then smaller ones, then single items.

/// Drops whatever can be dropped while `still_fails` says yes; each item that is left is needed, if
/// `still_fails` depends on its argument alone. Answers of yes are taken for good.
pub fn ddmin<T: Clone>(items: Vec<T>, still_fails: &mut dyn FnMut(&[T]) -> bool) -> Vec<T> {
    let mut kept = items;
    if kept.is_empty() || still_fails(&[]) {
        return Vec::new();
    }
    let mut size = kept.len().div_ceil(2);
    loop {
        let before = kept.len();
        let mut from = 0;
        while from < kept.len() && kept.len() > 1 {
            let to = (from + size).min(kept.len());
            let rest: Vec<T> = [&kept[..from], &kept[to..]].concat();
            match !rest.is_empty() && still_fails(&rest) {
                true => kept = rest,
                false => from = to,
            }
        }
        match (size, kept.len() < before) {
            (1, false) => return kept,
            (1, true) => {}
            (_, _) => size = size.min(kept.len()).div_ceil(2),
        }
    }
}
