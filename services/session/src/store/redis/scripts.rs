use redis::Script;

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
    pub(super) interrupt: Script,
    pub(super) edge_renew: Script,
    pub(super) edge_lose: Script,
    pub(super) edges_lost: Script,
    pub(super) edge_forget: Script,
    pub(super) call_opened: Script,
    pub(super) users_count: Script,
    pub(super) users_due: Script,
}

macro_rules! script {
    ($shared:literal, $own:literal) => {
        Script::new(concat!(include_str!($shared), include_str!($own)))
    };
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            create: script!("session.lua", "create.lua"),
            get: script!("session.lua", "get.lua"),
            peek: script!("session.lua", "peek.lua"),
            update: script!("session.lua", "update.lua"),
            delete: script!("session.lua", "delete.lua"),
            renew: script!("session.lua", "renew.lua"),
            append: script!("session.lua", "append.lua"),
            inspect: script!("session.lua", "inspect.lua"),
            read: script!("session.lua", "read.lua"),
            hold: script!("session.lua", "hold.lua"),
            take: script!("session.lua", "take.lua"),
            release: script!("session.lua", "release.lua"),
            claim: script!("session.lua", "claim.lua"),
            answer: script!("session.lua", "answer.lua"),
            take_answers: script!("session.lua", "take_answers.lua"),
            cancel: script!("session.lua", "cancel.lua"),
            cancels: script!("session.lua", "cancels.lua"),
            append_changes: script!("session.lua", "append_changes.lua"),
            interrupt: script!("session.lua", "interrupt.lua"),
            edge_renew: script!("edges.lua", "edge_renew.lua"),
            edge_lose: script!("edges.lua", "edge_lose.lua"),
            edges_lost: script!("edges.lua", "edges_lost.lua"),
            edge_forget: script!("edges.lua", "edge_forget.lua"),
            call_opened: script!("edges.lua", "call_opened.lua"),
            users_count: Script::new(include_str!("users_count.lua")),
            users_due: Script::new(include_str!("users_due.lua")),
        }
    }
}
