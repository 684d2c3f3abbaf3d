use std::collections::BTreeMap;

use proptest::{
    collection::{btree_map, hash_map, vec},
    option,
    prelude::*,
};
use serde_json::json;

use super::*;

const TTL: Duration = Duration::from_secs(60);

fn principal(user_id: &str, client_id: &str) -> Principal {
    Principal {
        user_id: user_id.into(),
        client_id: client_id.into(),
        scopes: Default::default(),
    }
}

fn keys(secret: &str) -> StateKeys {
    StateKeys::new(&[secret.to_owned()], TTL)
}

/// Arguments as clients may write them, with what many parsers do not take.
fn arguments() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        Just("1e400".to_owned()),
        Just(r#""\ud800""#.to_owned()),
        "[a-z]{0,3}".prop_map(|text| json!(text).to_string()),
    ];
    let value = leaf.prop_recursive(2, 8, 3, |inner| {
        vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(",")))
    });
    vec(("[a-c]", value), 0..3).prop_map(|mut members| {
        members.sort();
        members.dedup_by(|one, other| one.0 == other.0);
        let members: Vec<_> = members
            .into_iter()
            .map(|(name, value)| format!("{name:?}:{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    })
}

/// A call; those of the edge are not to be seen in logs, and so have no words.
#[derive(Clone, Debug, PartialEq)]
enum Asked {
    Tool(String, Option<String>),
    Resource(String),
    Subscribe(String),
    Prompt(String, BTreeMap<String, String>),
}

impl Asked {
    fn call(&self) -> Call {
        match self.clone() {
            Self::Tool(name, arguments) => Call::Tool {
                name,
                arguments: arguments.map(|arguments| serde_json::from_str(&arguments).unwrap()),
            },
            Self::Resource(uri) => Call::Resource { uri },
            Self::Subscribe(uri) => Call::Subscribe { uri },
            Self::Prompt(name, arguments) => Call::Prompt {
                name,
                arguments: arguments.into_iter().collect(),
            },
        }
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    let name = || "[a-b]{1,2}";
    prop_oneof![
        (name(), option::of(arguments())).prop_map(|(name, arguments)| Asked::Tool(name, arguments)),
        name().prop_map(Asked::Resource),
        name().prop_map(Asked::Subscribe),
        (name(), btree_map("[a-c]", "[a-c]{0,2}", 0..3))
            .prop_map(|(name, arguments)| Asked::Prompt(name, arguments)),
    ]
}

fn resource() -> Call {
    Call::Resource { uri: "r".to_owned() }
}

fn remembered() -> impl Strategy<Value = Remembered> {
    let bytes = || vec(any::<u8>(), 0..40).prop_map(bytes::Bytes::from);
    let answers = hash_map("[a-z]{0,4}", bytes(), 0..3);
    (bytes(), answers, any::<u32>())
        .prop_map(|(state, answers, rounds)| Remembered::new(state, Vec::new(), answers, rounds))
}

proptest! {
    #[test]
    fn what_is_sealed_is_opened_for_its_call(
        asked in asked(), remembered in remembered(), user in "\\PC{0,8}", client in "\\PC{0,8}"
    ) {
        let principal = principal(&user, &client);
        let sealed = keys("k").seal(&principal, &asked.call(), remembered.clone()).unwrap();
        let opened = keys("k").open(&principal, &asked.call(), &sealed).unwrap();
        prop_assert_eq!(
            (opened.state, opened.answers, opened.rounds),
            (remembered.state, remembered.answers, remembered.rounds)
        );
    }

    #[test]
    fn it_is_opened_for_nobody_else_and_no_other_call(
        asked in (asked(), asked()), users in ("[a-b]{0,2}", "[a-b]{0,2}"), clients in ("[a-b]{0,2}", "[a-b]{0,2}")
    ) {
        let (one, other) = (principal(&users.0, &clients.0), principal(&users.1, &clients.1));
        let sealed = keys("k").seal(&one, &asked.0.call(), Remembered::default()).unwrap();
        let opened = |principal, asked: &Asked| keys("k").open(principal, &asked.call(), &sealed).err();
        let people = (&users.0, &clients.0) == (&users.1, &clients.1);
        prop_assert_eq!(opened(&one, &asked.0), None);
        prop_assert_eq!(opened(&other, &asked.0), (!people).then_some(Unusable::Foreign));
        prop_assert_eq!(opened(&one, &asked.1), (asked.0 != asked.1).then_some(Unusable::Foreign));
    }

    #[test]
    fn other_keys_do_not_open_it(secrets in ("\\PC{0,6}", "\\PC{0,6}"), remembered in remembered()) {
        let other = secrets.0 != secrets.1;
        let (principal, call) = (principal("u", "c"), resource());
        let sealed = keys(&secrets.0).seal(&principal, &call, remembered).unwrap();
        prop_assert_eq!(keys(&secrets.1).open(&principal, &call, &sealed).err(), other.then_some(Unusable::Forged));
        let rotated = StateKeys::new(&[secrets.1, secrets.0], TTL);
        prop_assert!(rotated.open(&principal, &call, &sealed).is_ok());
    }

    /// Nothing but exactly what was handed out, to the last bit of its Base64.
    #[test]
    fn not_one_character_may_differ(
        remembered in remembered(), place in any::<prop::sample::Index>(), to in "[A-Za-z0-9_=+/ \\PC-]", kind in 0..4
    ) {
        let (principal, call) = (principal("u", "c"), resource());
        let sealed = keys("k").seal(&principal, &call, remembered).unwrap();
        let place = place.index(sealed.len());
        let (before, from) = sealed.split_at(place);
        let changed = match kind {
            0 => format!("{before}{to}{}", &from[1..]),
            1 => format!("{before}{to}{from}"),
            2 => format!("{before}{}", &from[1..]),
            _ => before.to_owned(),
        };
        let opened = keys("k").open(&principal, &call, &changed);
        prop_assert_eq!(opened.err(), (changed != sealed).then_some(Unusable::Forged));
    }

    #[test]
    fn any_text_is_refused(text in prop_oneof!["\\PC{0,40}", "[A-Za-z0-9_-]{0,200}"]) {
        let (principal, call) = (principal("u", "c"), resource());
        prop_assert_eq!(keys("k").open(&principal, &call, &text).err(), Some(Unusable::Forged));
    }

    /// Spaces and the order of members say nothing.
    #[test]
    fn the_same_arguments_are_the_same_call(members in btree_map("[a-d]", any::<i64>(), 0..4)) {
        let tool = |text: String| Call::Tool { name: "t".to_owned(), arguments: Some(serde_json::from_str(&text).unwrap()) };
        let member = |(name, value): (&String, &i64)| format!(" \"{name}\" :\n {value} ");
        let backwards: Vec<_> = members.iter().rev().map(member).collect();
        let sealed = keys("k").seal(&principal("u", "c"), &tool(json!(members).to_string()), Remembered::default());
        let again = tool(format!("{{{}}}", backwards.join(",")));
        prop_assert!(keys("k").open(&principal("u", "c"), &again, &sealed.unwrap()).is_ok());
    }
}
