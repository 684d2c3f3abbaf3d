//! What is known of a task, and how it changes. A task that has ended never changes again.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use everything_proto::{
    events::v1::TraceContext,
    feature::v1::{CallToolRequest, Error as FeatureError, InputRequired},
    session::v1::{Task, TaskSession, TaskStatus},
};
use rand::{TryRng, rngs::SysRng};

use super::TaskSettings;
use crate::Error;

/// Bytes of randomness in a task id: whoever knows one can name a task, but only its owner is answered.
const ID_BYTES: usize = 24;
/// The same, in base64url characters.
const ID_CHARS: usize = 32;
/// Rounds of one task; a feature that asks more often goes round in circles.
const MAX_ROUNDS: u32 = 64;
/// Questions of one round.
const MAX_QUESTIONS: usize = 64;
/// Bytes of a feature's state, and of all questions of a round.
const MAX_ROUND_BYTES: usize = 1024 * 1024;
/// A task that expires at once could not be asked about.
const MIN_TTL_MS: u64 = 1_000;
/// Characters of a status message.
const MAX_MESSAGE_CHARS: usize = 256;
/// JSON-RPC: something failed on the server's side.
const INTERNAL_ERROR: i32 = -32603;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(String);

/// Where a call that becomes a task comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    pub protocol_version: String,
    pub session: Option<TaskSession>,
    /// How long its owner would like it kept.
    pub ttl_ms: Option<u64>,
    /// Of the request that makes it.
    pub trace: Option<TraceContext>,
}

/// A task as it is kept. The call that it makes is kept beside it, as it does not change.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Record {
    #[prost(string, tag = "1")]
    pub user_id: String,
    #[prost(message, required, tag = "2")]
    pub task: Task,
    /// Counts the runs; the latest one counts.
    #[prost(uint64, tag = "3")]
    pub run: u64,
    /// When the lease of the current run ends, Unix milliseconds. 0: nobody runs it.
    #[prost(int64, tag = "4")]
    pub lease_until_ms: i64,
    #[prost(uint32, tag = "5")]
    pub rounds: u32,
    /// What the round before left for the next one.
    #[prost(bytes = "bytes", tag = "6")]
    pub state: Bytes,
    /// Answers for the next round, by the feature's key.
    #[prost(btree_map = "string, bytes", tag = "7")]
    pub answers: BTreeMap<String, Bytes>,
    /// The feature's key of each question that waits, by the key that the owner sees.
    #[prost(btree_map = "string, string", tag = "8")]
    pub asked: BTreeMap<String, String>,
    /// Every key that the owner was ever shown.
    #[prost(string, repeated, tag = "9")]
    pub used_keys: Vec<String>,
    /// Of the request that made it.
    #[prost(message, optional, tag = "10")]
    pub trace: Option<TraceContext>,
    /// Who began the latest run.
    #[prost(string, tag = "11")]
    pub runner_id: String,
}

impl TaskId {
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = [0_u8; ID_BYTES];
        SysRng
            .try_fill_bytes(&mut bytes)
            .map_err(|error| Error::Unavailable(format!("no randomness: {error}")))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Text that cannot be a task id is a task that does not exist.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let url_safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.len() == ID_CHARS && text.bytes().all(url_safe) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::TaskNotFound)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Record {
    /// A task that is to be run from its first round on.
    pub fn new(
        id: &TaskId,
        call: &CallToolRequest,
        origin: Origin,
        settings: &TaskSettings,
        now_ms: i64,
    ) -> Self {
        let context = call.context.clone().unwrap_or_default();
        let wanted = origin.ttl_ms.unwrap_or(u64::MAX).max(MIN_TTL_MS);
        Self {
            user_id: context
                .principal
                .map(|principal| principal.user_id)
                .unwrap_or_default(),
            task: Task {
                task_id: id.as_str().to_owned(),
                status: TaskStatus::Working.into(),
                created_at_ms: now_ms,
                updated_at_ms: now_ms,
                ttl_ms: wanted.min(milliseconds(settings.ttl)),
                poll_interval_ms: milliseconds(settings.poll_interval),
                change: 1,
                client_capabilities: context.client_capabilities,
                protocol_version: origin.protocol_version,
                session: origin.session,
                ..Task::default()
            },
            state: context.state,
            answers: context.inputs_json.into_iter().collect(),
            trace: origin.trace,
            ..Self::default()
        }
    }

    pub fn expires_at_ms(&self) -> i64 {
        let ttl = i64::try_from(self.task.ttl_ms).unwrap_or(i64::MAX);
        self.task.created_at_ms.saturating_add(ttl)
    }

    pub fn is_over(&self) -> bool {
        match self.task.status() {
            TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled => true,
            TaskStatus::Unspecified | TaskStatus::Working | TaskStatus::InputRequired => false,
        }
    }

    /// From when on somebody may take it; `None`: there is nothing to run.
    pub fn wants_runner_at_ms(&self) -> Option<i64> {
        (self.task.status() == TaskStatus::Working).then_some(self.lease_until_ms)
    }

    /// Whether this run is the one that counts, and it is not over.
    pub fn is_run_by(&self, run: u64) -> bool {
        self.wants_runner_at_ms().is_some() && self.run == run && self.lease_until_ms != 0
    }

    /// Whose lease there is, ended or not.
    pub fn runner(&self) -> Option<&str> {
        let leased = self.wants_runner_at_ms().is_some_and(|at| at != 0);
        leased.then_some(self.runner_id.as_str())
    }

    /// Begins a run, if there is something to run and nobody does.
    pub fn claim(&mut self, runner_id: &str, lease: Duration, now_ms: i64) -> bool {
        if self.wants_runner_at_ms().is_none_or(|at| at > now_ms) {
            return false;
        }
        self.run += 1;
        runner_id.clone_into(&mut self.runner_id);
        self.lease_until_ms = until(now_ms, lease);
        true
    }

    /// Its runner may be gone: the lease ends when `grace` is over, unless it is renewed. False: somebody else runs it, or
    /// nobody.
    pub fn doubt(&mut self, runner_id: &str, grace: Duration, now_ms: i64) -> bool {
        let is_its_runner = self.runner() == Some(runner_id);
        if is_its_runner {
            self.lease_until_ms = self.lease_until_ms.min(until(now_ms, grace));
        }
        is_its_runner
    }

    pub fn renew(&mut self, run: u64, message: &str, lease: Duration, now_ms: i64) -> bool {
        if !self.is_run_by(run) {
            return false;
        }
        self.lease_until_ms = until(now_ms, lease);
        if !message.is_empty() {
            let message: String = message.chars().take(MAX_MESSAGE_CHARS).collect();
            if message != self.task.status_message {
                self.task.status_message = message;
                self.touch(now_ms);
            }
        }
        true
    }

    /// Gives a run up; somebody else may begin one.
    pub fn release(&mut self) {
        self.lease_until_ms = 0;
    }

    pub fn complete(&mut self, result: Bytes, now_ms: i64) {
        self.end(TaskStatus::Completed, String::new(), now_ms);
        self.task.result_json = result;
    }

    pub fn fail(&mut self, error: FeatureError, now_ms: i64) {
        let message = error.message.chars().take(MAX_MESSAGE_CHARS).collect();
        self.end(TaskStatus::Failed, message, now_ms);
        self.task.error = Some(error);
    }

    /// The call has a result, which says that it failed.
    pub fn fail_by_result(&mut self, result: Bytes, now_ms: i64) {
        self.end(
            TaskStatus::Failed,
            "the tool reported an error".to_owned(),
            now_ms,
        );
        self.task.result_json = result;
    }

    pub fn fail_with(&mut self, sentence: &str, now_ms: i64) {
        let error = FeatureError {
            code: INTERNAL_ERROR,
            message: sentence.to_owned(),
            ..FeatureError::default()
        };
        self.fail(error, now_ms);
    }

    /// False: it had ended.
    pub fn cancel(&mut self, now_ms: i64) -> bool {
        let ends = !self.is_over();
        if ends {
            self.end(
                TaskStatus::Cancelled,
                "cancelled by the client".to_owned(),
                now_ms,
            );
        }
        ends
    }

    /// Ends a run with questions.
    pub fn ask(&mut self, required: InputRequired, now_ms: i64) {
        use prost::Message;
        self.rounds += 1;
        let keys: HashSet<&str> = required
            .requests
            .iter()
            .map(|request| request.key.as_str())
            .collect();
        if required.requests.is_empty()
            || keys.len() < required.requests.len()
            || required.requests.len() > MAX_QUESTIONS
            || required.encoded_len() > MAX_ROUND_BYTES
            || self.rounds > MAX_ROUNDS
        {
            return self.fail_with("the call asked for input in a way that cannot be served", now_ms);
        }
        self.task.input_requests.clear();
        self.answers.clear();
        self.asked.clear();
        self.state = required.state;
        for mut request in required.requests {
            let shown = self.unused_key(&request.key);
            self.used_keys.push(shown.clone());
            self.asked.insert(shown.clone(), request.key);
            request.key = shown;
            self.task.input_requests.push(request);
        }
        self.lease_until_ms = 0;
        self.task.set_status(TaskStatus::InputRequired);
        self.task.status_message.clear();
        self.touch(now_ms);
    }

    /// Takes answers to what is asked. True: that was the last one, and the task can go on.
    pub fn answer(&mut self, answers: impl IntoIterator<Item = (String, Bytes)>, now_ms: i64) -> bool {
        if self.task.status() != TaskStatus::InputRequired {
            return false;
        }
        for (shown, answer) in answers {
            if let Some(key) = self.asked.remove(&shown) {
                self.answers.insert(key, answer);
                self.task.input_requests.retain(|request| request.key != shown);
                self.touch(now_ms);
            }
        }
        let all = self.asked.is_empty();
        if all {
            self.task.set_status(TaskStatus::Working);
        }
        all
    }

    /// The owner will not answer. Without effect where nothing is asked.
    pub fn refuse(&mut self, error: FeatureError, now_ms: i64) {
        if self.task.status() == TaskStatus::InputRequired {
            self.fail(error, now_ms);
        }
    }

    /// The call of the next round.
    pub fn call(&self, mut call: CallToolRequest) -> CallToolRequest {
        let context = call.context.get_or_insert_default();
        context.inputs_json = self.answers.clone().into_iter().collect();
        context.state = self.state.clone();
        call
    }

    /// Keys are for one question, so that a late answer to another one is recognized.
    fn unused_key(&self, key: &str) -> String {
        let is_used = |key: &str| self.used_keys.iter().any(|used| used == key);
        if !is_used(key) {
            return key.to_owned();
        }
        (2_u32..)
            .map(|number| format!("{key}-{number}"))
            .find(|key| !is_used(key))
            .unwrap_or_default()
    }

    fn end(&mut self, status: TaskStatus, message: String, now_ms: i64) {
        self.task.set_status(status);
        self.task.status_message = message;
        self.task.input_requests.clear();
        self.lease_until_ms = 0;
        self.state = Bytes::new();
        self.answers.clear();
        self.asked.clear();
        self.used_keys.clear();
        self.touch(now_ms);
    }

    fn touch(&mut self, now_ms: i64) {
        self.task.change += 1;
        self.task.updated_at_ms = now_ms.max(self.task.updated_at_ms);
    }
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn until(now_ms: i64, lease: Duration) -> i64 {
    now_ms.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
}
