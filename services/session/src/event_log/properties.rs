use proptest::prelude::*;

use super::*;

const LARGEST: u64 = 10_u64.pow(15);

fn event_id() -> impl Strategy<Value = EventId> {
    ("[A-Za-z0-9_]{1,64}", 0..LARGEST, 0..LARGEST).prop_map(|(stream, ms, seq)| EventId {
        stream: StreamName::parse(&stream).unwrap(),
        position: Position { ms, seq },
    })
}

proptest! {
    #[test]
    fn an_event_id_reads_back(id in event_id()) {
        prop_assert_eq!(id.to_string().parse::<EventId>().unwrap(), id);
    }

    /// One text for one place: whatever is taken is written as it was read.
    #[test]
    fn any_text_is_an_event_id_or_none(
        text in prop_oneof![
            "\\PC{0,30}",
            "[a-z_]{0,3}[.:][0-9+-]{0,5}-[0-9 ]{0,4}",
            "[a-zA-Z_]{0,70}[.]0{0,2}[0-9]{0,18}-[0-9]{0,18}\n?",
        ],
    ) {
        if let Ok(id) = text.parse::<EventId>() {
            prop_assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn a_changed_event_id_is_another_one_or_none(
        id in event_id(),
        place in any::<prop::sample::Index>(),
        to in any::<char>(),
        kind in 0..3,
    ) {
        let text = id.to_string();
        let mut changed: Vec<char> = text.chars().collect();
        let place = place.index(changed.len());
        match kind {
            0 => changed[place] = to,
            1 => changed.insert(place, to),
            _ => drop(changed.remove(place)),
        }
        let changed: String = changed.into_iter().collect();
        if let Ok(read) = changed.parse::<EventId>() {
            prop_assert_eq!(read == id, changed == text);
        }
    }

    #[test]
    fn places_are_in_the_order_of_their_time(one in event_id(), other in event_id()) {
        let (one, other) = (one.position, other.position);
        prop_assert_eq!(one.cmp(&other), (one.ms, one.seq).cmp(&(other.ms, other.seq)));
    }
}
