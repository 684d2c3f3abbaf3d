//! The parts as real processes, found by each other through sockets in the stack's directory.

use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Context, ensure};
use redis_store::testing::{RedisServer, ReservedPort};

use super::{FeatureKind, Layout, Plan};
use crate::tools;

/// Every edge must open what another one sealed.
const REQUEST_STATE_KEYS: &str = "what every edge of a test stack seals with";
/// Lines of a process's log that failure messages quote.
const LOG_LINES: usize = 30;

pub struct Processes {
    processes: Vec<Process>,
    edges: Vec<ReservedPort>,
}

struct Process {
    name: String,
    program: PathBuf,
    environment: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Processes {
    pub fn start(plan: &Plan<'_>) -> anyhow::Result<Self> {
        let mut started = Self {
            processes: Vec::new(),
            edges: Vec::new(),
        };
        let services = match plan.builder.layout {
            Layout::Split => started.start_services(plan)?,
            Layout::AllInOne | Layout::InProcess => Vec::new(),
        };
        let program = if services.is_empty() {
            "everything"
        } else {
            "everything-edge"
        };
        for edge in 0..plan.builder.edges {
            let port = ReservedPort::new();
            let mut environment = services.clone();
            environment.push(("HOST".to_owned(), port.address().ip().to_string()));
            environment.push(("PORT".to_owned(), port.number().to_string()));
            environment.push(("REQUEST_STATE_KEYS".to_owned(), REQUEST_STATE_KEYS.to_owned()));
            started.edges.push(port);
            started.start_process(plan, format!("edge-{edge}"), program, environment)?;
        }
        Ok(started)
    }

    /// Starts the replicas of each service; answers with the settings that tell an edge where they are.
    fn start_services(&mut self, plan: &Plan<'_>) -> anyhow::Result<Vec<(String, String)>> {
        let feature = match plan.builder.feature {
            FeatureKind::Everything => "everything-feature",
            FeatureKind::Conformance => "everything-conformance",
        };
        let mut services = vec![
            ("session", "everything-session", "SESSION_URL"),
            ("feature", feature, "FEATURE_URL"),
        ];
        if plan.builder.auth {
            services.push(("auth", "everything-auth", "AUTH_URL"));
        }
        let mut settings = Vec::new();
        for (service, program, variable) in services {
            let mut replicas = Vec::new();
            for replica in 0..plan.builder.replicas {
                let name = format!("{service}-{replica}");
                let address = format!("unix:{}", plan.directory.join(format!("{name}.sock")).display());
                replicas.push(address.clone());
                let environment = vec![("LISTEN_ADDR".to_owned(), address)];
                self.start_process(plan, name, program, environment)?;
            }
            settings.push((variable.to_owned(), replicas.join(",")));
        }
        Ok(settings)
    }

    fn start_process(
        &mut self,
        plan: &Plan<'_>,
        name: String,
        program: &str,
        mut environment: Vec<(String, String)>,
    ) -> anyhow::Result<()> {
        environment.push(("BASE_URI".to_owned(), plan.base_uri.clone()));
        let url = plan
            .redis
            .map(RedisServer::url)
            .or_else(|| plan.builder.redis_url.clone());
        if let Some(url) = url {
            environment.push(("REDIS_URL".to_owned(), url));
        }
        if !plan.builder.auth {
            environment.push(("AUTH_MODE".to_owned(), "disabled".to_owned()));
        }
        // A line per request would bury what matters; `Builder::setting` brings them back.
        environment.push(("RUST_LOG".to_owned(), "warn".to_owned()));
        environment.push(("NO_COLOR".to_owned(), "1".to_owned()));
        // Tells replicas apart in what they export.
        let instance = format!("service.instance.id={name}");
        environment.push(("OTEL_RESOURCE_ATTRIBUTES".to_owned(), instance));
        environment.extend(plan.builder.settings.iter().cloned());
        let log = plan.directory.join(format!("{name}.log"));
        let mut process = Process {
            name,
            program: tools::binary(program)?,
            environment,
            log,
            child: None,
        };
        process.start()?;
        self.processes.push(process);
        Ok(())
    }

    pub fn edges(&self) -> Vec<SocketAddr> {
        self.edges.iter().map(ReservedPort::address).collect()
    }

    pub fn kill(&mut self, name: &str) {
        for process in self.processes.iter_mut().filter(|process| process.name == name) {
            process.kill();
        }
    }

    pub fn set(&mut self, part: &str, name: &str, value: &str) {
        for process in self.processes.iter_mut().filter(|process| process.name == part) {
            process.environment.push((name.to_owned(), value.to_owned()));
        }
    }

    pub fn signal(&self, name: &str, signal: &str) -> anyhow::Result<()> {
        let process = self.processes.iter().find(|process| process.name == name);
        let child = process.and_then(|process| process.child.as_ref());
        let pid = child.with_context(|| format!("{name} does not run"))?.id();
        let sent = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(pid.to_string())
            .status()?;
        ensure!(sent.success(), "{name} took no signal");
        Ok(())
    }

    pub fn ended(&mut self, name: &str) -> anyhow::Result<Option<ExitStatus>> {
        let process = self.processes.iter_mut().find(|process| process.name == name);
        let child = process.and_then(|process| process.child.as_mut());
        Ok(child
            .with_context(|| format!("{name} does not run"))?
            .try_wait()?)
    }

    pub fn restart(&mut self, name: &str) -> anyhow::Result<()> {
        for process in self.processes.iter_mut().filter(|process| process.name == name) {
            process.kill();
            process.start()?;
        }
        Ok(())
    }

    pub fn pids(&self) -> Vec<(String, u32)> {
        let running = |process: &Process| Some((process.name.clone(), process.child.as_ref()?.id()));
        self.processes.iter().filter_map(running).collect()
    }

    pub fn logs(&self) -> String {
        let tail = |path: &Path| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
        };
        self.processes
            .iter()
            .map(|process| format!("--- {}\n{}\n", process.name, tail(&process.log)))
            .collect()
    }
}

impl Process {
    fn start(&mut self) -> anyhow::Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .context("cannot write a log")?;
        let child = Command::new(&self.program)
            // Nothing of the machine's settings may reach the stack.
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            _ = child.kill();
            _ = child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
