//! Containers from docker-compose.yml, by bubblewrap instead of Docker.

use std::{
    collections::HashMap,
    fs::File,
    net::Ipv4Addr,
    path::PathBuf,
    process::{Child, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    ComposeFile, Condition, Dockerfile,
    network::{Namespace, Network},
    publish::publish,
    sandbox::{Sandbox, can_run, image_name},
};

/// A debug build on a busy machine takes longer than the image in its `start_period`.
const PATIENCE: Duration = Duration::from_secs(60);
/// Docker's resolver in every container.
const DNS: &str = "127.0.0.11";

/// Running containers. Dropping them ends all.
pub struct Containers {
    sandbox: Sandbox,
    network: Network,
    containers: Vec<Container>,
    /// Names and relays.
    helpers: Vec<Child>,
    /// Published ports are open while this lives.
    _published: DropGuard,
}

struct Container {
    service: String,
    name: String,
    namespace: Namespace,
    process: Option<Child>,
    log: PathBuf,
}

impl Containers {
    /// Starts the services of `profiles` and of none, each as often as `scale` says, once unless it does. `published`
    /// takes the place of the port that the service publishes. Services whose image nothing stands in for are left out.
    pub async fn up(
        variables: &HashMap<String, String>,
        profiles: &[&str],
        scale: &[(&str, usize)],
        published: TcpListener,
        publisher: &str,
    ) -> anyhow::Result<Self> {
        let file = ComposeFile::read(variables)?;
        let directory = std::env::temp_dir().join(format!(
            "everything-compose-{}-{}",
            std::process::id(),
            published.local_addr()?.port()
        ));
        std::fs::create_dir_all(&directory)?;
        let stop = CancellationToken::new();
        let mut containers = Self {
            sandbox: Sandbox {
                dockerfile: Dockerfile::read()?,
                directory,
                file,
            },
            network: Network::new()?,
            containers: Vec::new(),
            helpers: Vec::new(),
            _published: stop.clone().drop_guard(),
        };
        let order = containers.sandbox.file.start_order(profiles)?;
        let planned = containers.plan(&order, scale)?;
        containers.write_names(&planned)?;
        for service in &order {
            containers.await_dependencies(service).await?;
            for (name, address) in planned.iter().filter(|(name, _)| service_of(name) == service) {
                containers.start(name, *address)?;
            }
        }
        containers.publish(&planned, publisher, published, stop)?;
        for service in &order {
            containers.healthy(service).await?;
        }
        Ok(containers)
    }

    /// Names and addresses of all containers to be.
    fn plan(
        &mut self,
        order: &[String],
        scale: &[(&str, usize)],
    ) -> anyhow::Result<Vec<(String, Option<Ipv4Addr>)>> {
        let mut planned = Vec::new();
        for service in order {
            if !can_run(&self.sandbox.file.services[service]) {
                continue;
            }
            let count = scale
                .iter()
                .find(|(name, _)| name == service)
                .map_or(1, |(_, n)| *n);
            let alone = self.sandbox.file.services[service].network_mode.as_deref() == Some("none");
            for number in 1..=count {
                let address = if alone {
                    None
                } else {
                    Some(self.network.address()?)
                };
                planned.push((format!("{service}-{number}"), address));
            }
        }
        Ok(planned)
    }

    /// One name, all addresses, as Docker's DNS has it.
    fn write_names(&self, planned: &[(String, Option<Ipv4Addr>)]) -> anyhow::Result<()> {
        let mut hosts = "127.0.0.1 localhost\n".to_owned();
        for (name, address) in planned {
            if let Some(address) = address {
                hosts.push_str(&format!("{address} {}\n", service_of(name)));
            }
        }
        std::fs::write(self.sandbox.directory.join("hosts"), hosts)?;
        std::fs::write(self.sandbox.directory.join("host.conf"), "multi on\n")?;
        std::fs::write(self.sandbox.directory.join("nsswitch.conf"), "hosts: files\n")?;
        Ok(())
    }

    async fn await_dependencies(&mut self, service: &str) -> anyhow::Result<()> {
        for (other, dependency) in self.sandbox.file.services[service].depends_on.clone() {
            match dependency.condition {
                Condition::ServiceStarted => {}
                Condition::ServiceHealthy => self.healthy(&other).await?,
                Condition::ServiceCompletedSuccessfully => {
                    let status = self.ended(&format!("{other}-1")).await?;
                    ensure!(status.success(), "{other}: {status}\n{}", self.logs());
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, name: &str, address: Option<Ipv4Addr>) -> anyhow::Result<()> {
        let service = service_of(name).to_owned();
        let namespace = self.network.namespace(address)?;
        let log = self.sandbox.directory.join(format!("{name}.log"));
        let definition = &self.sandbox.file.services[&service];
        let mut command = self.sandbox.command(&namespace, definition, None)?;
        let output = File::create(&log)?;
        let process = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("bubblewrap")?;
        // What asks DNS instead of reading /etc/hosts.
        if image_name(definition) == "haproxy" {
            let resolver = namespace
                .enter()
                .args([
                    "dnsmasq",
                    "--keep-in-foreground",
                    "--conf-file=/dev/null",
                    "--no-resolv",
                    "--no-hosts",
                ])
                .args(["--user=root", "--bind-interfaces", "--pid-file="])
                .arg(format!("--listen-address={DNS}"))
                .arg(format!(
                    "--addn-hosts={}",
                    self.sandbox.directory.join("hosts").display()
                ))
                .spawn()
                .context("dnsmasq")?;
            self.helpers.push(resolver);
        }
        self.containers.push(Container {
            service,
            name: name.to_owned(),
            namespace,
            process: Some(process),
            log,
        });
        Ok(())
    }

    /// Waits until the health checks of all containers of a service succeed, as the file words them.
    async fn healthy(&self, service: &str) -> anyhow::Result<()> {
        let Some(healthcheck) = &self.sandbox.file.services[service].healthcheck else {
            return Ok(());
        };
        let test = healthcheck
            .test
            .strip_prefix(&["CMD".to_owned()])
            .context("CMD")?;
        for container in self
            .containers
            .iter()
            .filter(|container| container.service == service)
        {
            let deadline = Instant::now() + PATIENCE;
            loop {
                let said = self.exec(&container.name, test).await;
                if said.is_ok() {
                    break;
                }
                if Instant::now() > deadline {
                    bail!(
                        "{} does not get healthy: {said:?}\n{}",
                        container.name,
                        self.logs()
                    );
                }
                sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }

    /// `docker compose exec`: runs a program beside the container's own, and answers with what it printed.
    pub async fn exec(&self, name: &str, command: &[String]) -> anyhow::Result<String> {
        let container = self.container(name)?;
        let service = &self.sandbox.file.services[&container.service];
        let command = self
            .sandbox
            .command(&container.namespace, service, Some(command))?;
        let output = tokio::process::Command::from(command).kill_on_drop(true).output();
        let output = tokio::time::timeout(Duration::from_secs(10), output)
            .await
            .context("exec")??;
        ensure!(
            output.status.success(),
            "{}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// `docker kill`: ends a container at once.
    pub fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        let container = self.container_mut(name)?;
        if let Some(mut process) = container.process.take() {
            process.kill()?;
            process.wait()?;
        }
        Ok(())
    }

    /// Waits for a container to end by itself.
    async fn ended(&mut self, name: &str) -> anyhow::Result<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        let process = self
            .container_mut(name)?
            .process
            .as_mut()
            .context("a running container")?;
        loop {
            if let Some(status) = process.try_wait()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "{name} does not end");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// `docker compose ps`.
    pub fn names(&self) -> Vec<&str> {
        self.containers
            .iter()
            .map(|container| container.name.as_str())
            .collect()
    }

    /// The last lines of every container, for failure messages.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for container in &self.containers {
            let log = std::fs::read_to_string(&container.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(15)..].join("\n");
            text.push_str(&format!("--- {}\n{last}\n", container.name));
        }
        text
    }

    fn container(&self, name: &str) -> anyhow::Result<&Container> {
        let found = self.containers.iter().find(|container| container.name == name);
        found.with_context(|| format!("no container {name}"))
    }

    fn container_mut(&mut self, name: &str) -> anyhow::Result<&mut Container> {
        let found = self
            .containers
            .iter_mut()
            .find(|container| container.name == name);
        found.with_context(|| format!("no container {name}"))
    }

    /// Lets connections to a port of this machine reach the port that `service` publishes.
    fn publish(
        &mut self,
        planned: &[(String, Option<Ipv4Addr>)],
        service: &str,
        listener: TcpListener,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let address = planned
            .iter()
            .find(|(name, _)| service_of(name) == service)
            .and_then(|(_, address)| *address)
            .context("a container that publishes")?;
        let mapping = self.sandbox.file.services[service]
            .ports
            .first()
            .context("a published port")?;
        let port = mapping.rsplit(':').next().context("a container port")?;
        let socket = self.sandbox.directory.join("published.sock");
        self.helpers
            .push(publish(&self.network, address, port, listener, socket, stop)?);
        Ok(())
    }
}

impl Drop for Containers {
    #[expect(clippy::print_stderr, reason = "what a failed test has to show")]
    fn drop(&mut self) {
        for container in &mut self.containers {
            if let Some(process) = &mut container.process {
                let _ = process.kill();
                let _ = process.wait();
            }
        }
        for helper in &mut self.helpers {
            let _ = helper.kill();
            let _ = helper.wait();
        }
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        let _ = std::fs::remove_dir_all(&self.sandbox.directory);
    }
}

fn service_of(container: &str) -> &str {
    container
        .rsplit_once('-')
        .map_or(container, |(service, _)| service)
}
