//! Sorting short lists. Each use of the library's sort adds two kilobytes to the browser's first module.

/// Sorts a short or nearly sorted list; equals keep their order.
pub(crate) fn sort_short<T>(list: &mut [T], is_before: impl Fn(&T, &T) -> bool) {
    for end in 1..list.len() {
        let mut at = end;
        while at > 0 && is_before(&list[at], &list[at - 1]) {
            list.swap(at - 1, at);
            at -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_as_the_library_does() {
        let mut rng = fastrand::Rng::with_seed(8);
        for length in 0..60 {
            let list: Vec<(u8, usize)> = (0..length).map(|i| (rng.u8(..9), i)).collect();
            let (mut short, mut library) = (list.clone(), list);
            sort_short(&mut short, |a, b| a.0 < b.0);
            library.sort_by_key(|x| x.0);
            assert_eq!(short, library);
        }
    }
}
