use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn a_cursor_leads_to_its_page(page in 1..10_000_usize, more in 1..PAGE_SIZE) {
        let start = page * PAGE_SIZE;
        prop_assert_eq!(decode(&encode(start), start + more), Ok(start));
        // The list has become shorter.
        prop_assert_eq!(decode(&encode(start), start), Err(invalid()));
    }

    #[test]
    fn only_what_was_made_here_is_taken(start in any::<usize>(), longest in 0..100_000_usize) {
        let good = start > 0 && start.is_multiple_of(PAGE_SIZE) && start < longest;
        prop_assert_eq!(decode(&encode(start), longest).is_ok(), good);
    }

    /// Of all texts, one leads to a page.
    #[test]
    fn any_text_is_a_cursor_or_none(
        text in prop_oneof![
            "\\PC{0,20}",
            "[A-Za-z0-9_-]{0,24}",
            "resources:[+0]?[0-9]{1,6}[ =]?".prop_map(|plain| URL_SAFE_NO_PAD.encode(plain)),
        ],
    ) {
        if let Ok(start) = decode(&text, usize::MAX) {
            prop_assert_eq!(encode(start), text);
        }
    }

    #[test]
    fn a_changed_cursor_does_not_pass_for_the_page(page in 1..100_usize, place in any::<prop::sample::Index>(), to in any::<char>()) {
        let start = page * PAGE_SIZE;
        let cursor = encode(start);
        let mut changed: Vec<char> = cursor.chars().collect();
        let place = place.index(changed.len());
        changed[place] = to;
        let changed: String = changed.into_iter().collect();
        prop_assert_eq!(decode(&changed, usize::MAX) == Ok(start), changed == cursor);
    }
}
