use redis_store::Script;

/// Loaded into Redis when first used, and again after a restart of Redis.
pub(super) struct Scripts {
    pub(super) create: Script,
    pub(super) get: Script,
    pub(super) peek: Script,
    pub(super) update: Script,
    pub(super) delete: Script,
    pub(super) renew: Script,
    pub(super) append: Script,
    pub(super) inspect: Script,
    pub(super) read: Script,
    pub(super) hold: Script,
    pub(super) take: Script,
    pub(super) release: Script,
    pub(super) claim: Script,
    pub(super) answer: Script,
    pub(super) take_answers: Script,
    pub(super) cancel: Script,
    pub(super) cancels: Script,
    pub(super) append_changes: Script,
    pub(super) bury: Script,
    pub(super) taken_over: Script,
    pub(super) hand_over: Script,
    pub(super) edge_renew: Script,
    pub(super) edge_lose: Script,
    pub(super) edges_lost: Script,
    pub(super) edge_forget: Script,
    pub(super) edge_others: Script,
    pub(super) call_opened: Script,
    pub(super) users_count: Script,
    pub(super) users_due: Script,
}

macro_rules! script {
    ($shared:literal, $name:ident) => {
        Script::new(
            stringify!($name),
            concat!(
                include_str!($shared),
                include_str!(concat!(stringify!($name), ".lua"))
            ),
        )
    };
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            create: script!("session.lua", create),
            get: script!("session.lua", get),
            peek: script!("session.lua", peek),
            update: script!("session.lua", update),
            delete: script!("session.lua", delete),
            renew: script!("session.lua", renew),
            append: script!("session.lua", append),
            inspect: script!("session.lua", inspect),
            read: script!("session.lua", read),
            hold: script!("session.lua", hold),
            take: script!("session.lua", take),
            release: script!("session.lua", release),
            claim: script!("session.lua", claim),
            answer: script!("session.lua", answer),
            take_answers: script!("session.lua", take_answers),
            cancel: script!("session.lua", cancel),
            cancels: script!("session.lua", cancels),
            append_changes: script!("session.lua", append_changes),
            bury: script!("session.lua", bury),
            taken_over: script!("session.lua", taken_over),
            hand_over: script!("session.lua", hand_over),
            edge_renew: script!("edges.lua", edge_renew),
            edge_lose: script!("edges.lua", edge_lose),
            edges_lost: script!("edges.lua", edges_lost),
            edge_forget: script!("edges.lua", edge_forget),
            edge_others: script!("edges.lua", edge_others),
            call_opened: script!("edges.lua", call_opened),
            users_count: Script::new("users_count", include_str!("users_count.lua")),
            users_due: Script::new("users_due", include_str!("users_due.lua")),
        }
    }
}
