//! A bridge in a network namespace of its own, and a namespace with one address on it for each container. Nothing of it
//! is visible on the host, and it is gone when its processes are.

use std::{
    net::Ipv4Addr,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, ensure};

/// Reaches every container, and nothing else.
pub struct Network {
    bridge: Namespace,
    next: u8,
}

/// A network namespace, kept by a process that does nothing.
pub struct Namespace {
    keeper: Child,
}

impl Network {
    pub fn new() -> anyhow::Result<Self> {
        let mut unshare = Command::new("unshare");
        if !is_root()? {
            unshare.args(["--user", "--map-root-user"]);
        }
        let bridge = Namespace::keep(unshare.args(["--net", "--mount", "--"]))?;
        bridge.run("ip link set lo up && ip link add br0 type bridge && ip address add 10.89.0.1/24 dev br0 && ip link set br0 up")?;
        Ok(Self { bridge, next: 2 })
    }

    /// Reserves an address.
    pub fn address(&mut self) -> anyhow::Result<Ipv4Addr> {
        let address = Ipv4Addr::new(10, 89, 0, self.next);
        self.next = self.next.checked_add(1).context("too many containers")?;
        Ok(address)
    }

    /// A namespace in which `address` is its own, or one with nothing but loopback.
    pub fn namespace(&self, address: Option<Ipv4Addr>) -> anyhow::Result<Namespace> {
        let namespace = Namespace::keep(self.bridge.enter().args(["unshare", "--net", "--"]))?;
        let Some(address) = address else {
            return Ok(namespace);
        };
        let pid = namespace.keeper.id();
        let link = format!("veth{}", address.octets()[3]);
        self.bridge.run(&format!(
            "ip link add {link} type veth peer name eth0 netns {pid} && ip link set {link} master br0 up"
        ))?;
        namespace.run(&format!(
            "ip link set lo up && ip address add {address}/24 dev eth0 && ip link set eth0 up"
        ))?;
        Ok(namespace)
    }

    /// Where everything can be reached from.
    pub fn bridge(&self) -> &Namespace {
        &self.bridge
    }
}

impl Namespace {
    /// Runs `command` with a program that keeps the namespace, and waits until it does.
    fn keep(command: &mut Command) -> anyhow::Result<Self> {
        let mut keeper = command
            // `cat` ends with its input, that is with the test.
            .args(["sh", "-c", "echo here; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start unshare (util-linux)")?;
        let mut said = String::new();
        let output = keeper.stdout.as_mut().context("piped")?;
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut said)?;
        ensure!(
            said == "here\n",
            "no network namespace: this test needs root, or a kernel that lets users make namespaces"
        );
        Ok(Self { keeper })
    }

    /// A command that runs its arguments in here.
    pub fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.args(["--target", &self.keeper.id().to_string(), "--net"]);
        if !is_root().unwrap_or(false) {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--");
        command
    }

    fn run(&self, script: &str) -> anyhow::Result<()> {
        let done = self.enter().args(["sh", "-c", script]).output()?;
        ensure!(
            done.status.success(),
            "{script}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        Ok(())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

fn is_root() -> anyhow::Result<bool> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let uid = status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))
        .context("/proc/self/status")?;
    Ok(uid.split_whitespace().nth(1) == Some("0"))
}
