use redis::{Cmd, ErrorKind, FromRedisValue, RedisResult, ServerErrorKind, ToRedisArgs};

use crate::Commands;

/// A Lua script, which Redis keeps after its first use. All its keys are in one slot.
pub struct Script {
    name: &'static str,
    code: &'static str,
    sha1: String,
}

/// A script with its keys and arguments.
pub struct ScriptInvocation<'a> {
    script: &'a Script,
    keys: Vec<Vec<u8>>,
    arguments: Vec<Vec<u8>>,
}

impl Script {
    /// `name` is how spans call it.
    pub fn new(name: &'static str, code: &'static str) -> Self {
        Self {
            name,
            code,
            sha1: redis::Script::new(code).get_hash().to_owned(),
        }
    }

    pub fn prepare_invoke(&self) -> ScriptInvocation<'_> {
        ScriptInvocation {
            script: self,
            keys: Vec::new(),
            arguments: Vec::new(),
        }
    }

    pub fn key(&self, key: impl ToRedisArgs) -> ScriptInvocation<'_> {
        let mut invocation = self.prepare_invoke();
        invocation.key(key);
        invocation
    }
}

impl ScriptInvocation<'_> {
    pub fn key(&mut self, key: impl ToRedisArgs) -> &mut Self {
        key.write_redis_args(&mut self.keys);
        self
    }

    pub fn arg(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        argument.write_redis_args(&mut self.arguments);
        self
    }

    pub async fn invoke_async<T: FromRedisValue>(&self, commands: &mut Commands) -> RedisResult<T> {
        let outcome = commands
            .script(self.script.name, &self.command("EVALSHA", &self.script.sha1))
            .await;
        let unknown = ErrorKind::Server(ServerErrorKind::NoScript);
        let value = match outcome {
            // Sent along with its first use, and again after a restart or a failover.
            Err(error) if error.kind() == unknown => {
                commands
                    .script(self.script.name, &self.command("EVAL", self.script.code))
                    .await?
            }
            outcome => outcome?,
        };
        Ok(T::from_redis_value(value)?)
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command
            .arg(script)
            .arg(self.keys.len())
            .arg(&self.keys)
            .arg(&self.arguments);
        command
    }
}
