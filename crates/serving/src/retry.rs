//! Which calls may be made again, how often, and when.
//!
//! [`GrpcChannel`](crate::GrpcChannel) does all of it; callers only say [`once`] where a request of an otherwise
//! repeatable RPC must not be sent twice.

use std::time::Duration;

/// Tries in all.
pub(crate) const TRIES: u32 = 3;

/// How an RPC may be repeated. Whatever it is, a request whose message has not left this process can go elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It has effects that must not happen twice, or late.
    Never,
    /// It has no effects but its answer is a stream: as long as no answer has begun.
    UntilAnswered,
    /// One request, one response, and any number of the former are as good as one.
    Always,
}

/// Every RPC that may be repeated. All others are [`Repeat::Never`]: `Update`, for one, repeats without harm but not when
/// it comes after another `Update`, and what hangs in a stopped process may come at any time.
const REPEATABLE: [(&str, Repeat); 17] = [
    ("/everything.auth.v1.AuthService/Metadata", Repeat::Always),
    // Not with a DPoP proof, which is good for one use.
    ("/everything.auth.v1.AuthService/Introspect", Repeat::Always),
    // RFC 7009 section 2.2: revoking what is revoked succeeds.
    ("/everything.auth.v1.AuthService/Revoke", Repeat::Always),
    ("/everything.session.v1.SessionService/Get", Repeat::Always),
    ("/everything.session.v1.TaskService/GetTask", Repeat::Always),
    ("/everything.session.v1.TaskService/ListTasks", Repeat::Always),
    // Answers to what is not asked any more are passed over.
    ("/everything.session.v1.TaskService/UpdateTask", Repeat::Always),
    ("/everything.session.v1.TaskService/CancelTask", Repeat::Always),
    ("/everything.session.v1.TaskService/RenewTasks", Repeat::Always),
    ("/everything.feature.v1.FeatureService/Describe", Repeat::Always),
    ("/everything.feature.v1.FeatureService/ListTools", Repeat::Always),
    (
        "/everything.feature.v1.FeatureService/ListResources",
        Repeat::Always,
    ),
    (
        "/everything.feature.v1.FeatureService/ListResourceTemplates",
        Repeat::Always,
    ),
    (
        "/everything.feature.v1.FeatureService/ListPrompts",
        Repeat::Always,
    ),
    ("/everything.feature.v1.FeatureService/Complete", Repeat::Always),
    (
        "/everything.feature.v1.FeatureService/ReadResource",
        Repeat::UntilAnswered,
    ),
    (
        "/everything.feature.v1.FeatureService/GetPrompt",
        Repeat::UntilAnswered,
    ),
];

/// In the extensions of a request that [`once`] made.
#[derive(Clone, Copy)]
struct Once;

/// A request that is not repeated, whatever its RPC.
pub fn once<T>(message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.extensions_mut().insert(Once);
    request
}

pub(crate) fn of(path: &str, extensions: &http::Extensions) -> Repeat {
    if extensions.get::<Once>().is_some() {
        return Repeat::Never;
    }
    REPEATABLE
        .iter()
        .find(|(known, _)| *known == path)
        .map_or(Repeat::Never, |(_, repeat)| *repeat)
}

/// 20 ms, 40 ms, …, with up to as much again of jitter, so that callers do not come back together.
pub fn backoff(attempt: u32) -> Duration {
    let base = Duration::from_millis(20) * 2_u32.saturating_pow(attempt.min(8).saturating_sub(1));
    base + jitter(base)
}

/// Anything up to `most`.
pub(crate) fn jitter(most: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    // `RandomState` is seeded anew each time: randomness enough for jitter.
    let drawn = RandomState::new().hash_one(0_u8) % 1_000;
    most.mul_f64(drawn as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_repeatable_rpc_is_one_of_the_contracts() {
        let contracts = String::from_utf8_lossy(everything_proto::FILE_DESCRIPTOR_SET);
        for (path, _) in REPEATABLE {
            let (service, method) = path.trim_start_matches('/').split_once('/').unwrap();
            let (package, name) = service.rsplit_once('.').unwrap();
            for part in [package, name, method] {
                assert!(contracts.contains(part), "{path}");
            }
        }
    }

    #[test]
    fn what_has_effects_is_never_repeated() {
        let extensions = http::Extensions::new();
        for path in [
            "/everything.auth.v1.AuthService/ExchangeToken",
            "/everything.session.v1.SessionService/Append",
            "/everything.session.v1.SessionService/Create",
            "/everything.feature.v1.FeatureService/CallTool",
            "/somebody.Else/Get",
        ] {
            assert_eq!(of(path, &extensions), Repeat::Never, "{path}");
        }
        let introspect = "/everything.auth.v1.AuthService/Introspect";
        assert_eq!(of(introspect, &extensions), Repeat::Always);
        let (_, proven, _) = once(()).into_parts();
        assert_eq!(of(introspect, &proven), Repeat::Never);
    }

    #[test]
    fn waits_grow_and_differ() {
        for attempt in 1..=10 {
            let least = Duration::from_millis(20) * 2_u32.pow(attempt.min(8) - 1);
            let drawn: Vec<_> = (0..50).map(|_| backoff(attempt)).collect();
            assert!(drawn.iter().all(|wait| (least..=least * 2).contains(wait)));
            assert!(drawn.iter().any(|wait| *wait != drawn[0]));
        }
    }
}
